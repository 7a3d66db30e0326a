// Pointwise arithmetic, products, reductions.
#include "srt.h"

using namespace srt;

#define UNARY(name) \
    SRT Handle srt_##name(Handle t) { return tensor([&] { return at::name(*t); }); }
UNARY(neg) UNARY(abs) UNARY(sqrt) UNARY(rsqrt) UNARY(exp) UNARY(log) UNARY(log1p) UNARY(square) UNARY(sign) UNARY(floor) UNARY(round)
UNARY(erf) UNARY(sin) UNARY(cos) UNARY(tanh) UNARY(sigmoid) UNARY(relu) UNARY(silu) UNARY(isnan) UNARY(isfinite) UNARY(logical_not)
UNARY(any) UNARY(all) UNARY(max) UNARY(min) UNARY(nan_to_num) UNARY(clone) UNARY(softplus) UNARY(gelu)
SRT Handle srt_detach(Handle t) { return tensor([&] { return t->detach(); }); }
SRT Handle srt_sum(Handle t) { return tensor([&] { return at::sum(*t); }); }
SRT Handle srt_mean(Handle t) { return tensor([&] { return at::mean(*t); }); }

// One function per operation with a tensor and one with a number on the right.
#define BINARY(name)                                                                                           \
    SRT Handle srt_##name(Handle a, Handle b) { return tensor([&] { return at::name(*a, *b); }); }              \
    SRT Handle srt_##name##_scalar(Handle a, NativeScalar b) { return tensor([&] { return at::name(*a, scalar(b)); }); }
BINARY(mul) BINARY(pow) BINARY(remainder) BINARY(eq) BINARY(ne) BINARY(lt) BINARY(le) BINARY(gt) BINARY(ge)
SRT Handle srt_add(Handle a, Handle b, NativeScalar alpha) { return tensor([&] { return at::add(*a, *b, scalar(alpha)); }); }
SRT Handle srt_add_scalar(Handle a, NativeScalar b, NativeScalar alpha) { return tensor([&] { return at::add(*a, scalar(b), scalar(alpha)); }); }
SRT Handle srt_sub(Handle a, Handle b, NativeScalar alpha) { return tensor([&] { return at::sub(*a, *b, scalar(alpha)); }); }
SRT Handle srt_sub_scalar(Handle a, NativeScalar b, NativeScalar alpha) { return tensor([&] { return at::sub(*a, scalar(b), scalar(alpha)); }); }
SRT Handle srt_rsub_scalar(Handle a, NativeScalar b) { return tensor([&] { return at::rsub(*a, scalar(b)); }); }
SRT Handle srt_rdiv_scalar(Handle a, NativeScalar b) { return tensor([&] { return at::mul(a->reciprocal(), scalar(b)); }); }

static Opt<c10::string_view> rounding(int mode) {
    if (mode == 1) return Opt<c10::string_view>("trunc");
    if (mode == 2) return Opt<c10::string_view>("floor");
    return Opt<c10::string_view>();
}
SRT Handle srt_div(Handle a, Handle b, int mode) { return tensor([&] { return at::div(*a, *b, rounding(mode)); }); }
SRT Handle srt_div_scalar(Handle a, NativeScalar b, int mode) { return tensor([&] { return at::div(*a, scalar(b), rounding(mode)); }); }
SRT Handle srt_maximum(Handle a, Handle b) { return tensor([&] { return at::maximum(*a, *b); }); }
SRT Handle srt_minimum(Handle a, Handle b) { return tensor([&] { return at::minimum(*a, *b); }); }
SRT Handle srt_logical_and(Handle a, Handle b) { return tensor([&] { return at::logical_and(*a, *b); }); }
SRT Handle srt_clamp(Handle t, NativeScalar lo, NativeScalar hi) { return tensor([&] { return at::clamp(*t, opt_scalar(lo), opt_scalar(hi)); }); }

// In place.
SRT int srt_add_(Handle a, Handle b, NativeScalar alpha) { return status([&] { a->add_(*b, scalar(alpha)); }); }
SRT int srt_add_scalar_(Handle a, NativeScalar b, NativeScalar alpha) { return status([&] { a->add_(scalar(b), scalar(alpha)); }); }
SRT int srt_sub_(Handle a, Handle b, NativeScalar alpha) { return status([&] { a->sub_(*b, scalar(alpha)); }); }
SRT int srt_sub_scalar_(Handle a, NativeScalar b, NativeScalar alpha) { return status([&] { a->sub_(scalar(b), scalar(alpha)); }); }
SRT int srt_mul_(Handle a, Handle b) { return status([&] { a->mul_(*b); }); }
SRT int srt_mul_scalar_(Handle a, NativeScalar b) { return status([&] { a->mul_(scalar(b)); }); }
SRT int srt_div_(Handle a, Handle b) { return status([&] { a->div_(*b); }); }
SRT int srt_div_scalar_(Handle a, NativeScalar b) { return status([&] { a->div_(scalar(b)); }); }
SRT int srt_clamp_(Handle a, NativeScalar lo, NativeScalar hi) { return status([&] { a->clamp_(opt_scalar(lo), opt_scalar(hi)); }); }
SRT int srt_fill_(Handle a, NativeScalar v) { return status([&] { a->fill_(scalar(v)); }); }
SRT int srt_zero_(Handle a) { return status([&] { a->zero_(); }); }
SRT int srt_copy_(Handle a, Handle b) { return status([&] { a->copy_(*b); }); }
SRT int srt_normal_(Handle a, double mean, double std, GeneratorHandle g) { return status([&] { a->normal_(mean, std, opt(g)); }); }
SRT int srt_uniform_(Handle a, double from, double to, GeneratorHandle g) { return status([&] { a->uniform_(from, to, opt(g)); }); }
SRT int srt_bernoulli_(Handle a, double p, GeneratorHandle g) { return status([&] { a->bernoulli_(p, opt(g)); }); }
SRT int srt_erfinv_(Handle a) { return status([&] { a->erfinv_(); }); }

// Products.
SRT Handle srt_mm(Handle a, Handle b) { return tensor([&] { return at::mm(*a, *b); }); }
SRT Handle srt_bmm(Handle a, Handle b) { return tensor([&] { return at::bmm(*a, *b); }); }
SRT Handle srt_matmul(Handle a, Handle b) { return tensor([&] { return at::matmul(*a, *b); }); }
SRT Handle srt_dot(Handle a, Handle b) { return tensor([&] { return at::dot(*a, *b); }); }
SRT Handle srt_outer(Handle a, Handle b) { return tensor([&] { return at::outer(*a, *b); }); }
SRT Handle srt_einsum(const char* equation, const Handle* ts, int64_t n) {
    return tensor([&] { return at::einsum(equation, list(ts, n)); });
}

// Reductions.
SRT Handle srt_sum_dims(Handle t, const int64_t* d, int64_t n, int keep, int dtype) {
    return tensor([&] { return at::sum(*t, dims(d, n), keep != 0, opt_dtype(dtype)); });
}
SRT Handle srt_mean_dims(Handle t, const int64_t* d, int64_t n, int keep) { return tensor([&] { return at::mean(*t, dims(d, n), keep != 0); }); }
SRT Handle srt_amax(Handle t, const int64_t* d, int64_t n, int keep) { return tensor([&] { return at::amax(*t, dims(d, n), keep != 0); }); }
SRT int srt_max_dim(Handle t, int64_t dim, int keep, Handle* values, Handle* indexes) {
    return status([&] {
        auto r = at::max(*t, dim, keep != 0);
        *values = wrap(std::get<0>(r));
        *indexes = wrap(std::get<1>(r));
    });
}
SRT Handle srt_argmax(Handle t, int64_t dim) { return tensor([&] { return at::argmax(*t, dim); }); }
SRT Handle srt_norm(Handle t, int64_t dim, int keep, float p) {
    return tensor([&] { return at::norm(*t, Opt<at::Scalar>(p), at::IntArrayRef(&dim, 1), keep != 0); });
}
SRT Handle srt_cumsum(Handle t, int64_t dim) { return tensor([&] { return at::cumsum(*t, dim); }); }
SRT Handle srt_logsumexp(Handle t, int64_t dim, int keep) { return tensor([&] { return at::logsumexp(*t, at::IntArrayRef(&dim, 1), keep != 0); }); }
SRT Handle srt_std(Handle t, int64_t dim, int unbiased, int keep) {
    return tensor([&] { return at::std(*t, at::OptionalIntArrayRef(dim), unbiased != 0, keep != 0); });
}
SRT Handle srt_var(Handle t, int64_t dim, int unbiased, int keep) {
    return tensor([&] { return at::var(*t, at::OptionalIntArrayRef(dim), unbiased != 0, keep != 0); });
}
SRT int srt_allclose(Handle a, Handle b, double rtol, double atol, int* out) {
    return status([&] { *out = at::allclose(*a, *b, rtol, atol) ? 1 : 0; });
}
