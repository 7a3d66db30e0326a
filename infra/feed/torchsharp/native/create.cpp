// Factories, shape and indexing.
#include "srt.h"

#include <ATen/TensorIndexing.h>

using namespace srt;

#define FACTORY(name, call)                                                                    \
    SRT Handle srt_##name(const int64_t* d, int64_t n, NativeOptions o, GeneratorHandle g) {    \
        return tensor([&] { (void)g; return grad_flag(call, o); });                             \
    }
FACTORY(zeros, at::zeros(dims(d, n), options(o)))
FACTORY(ones, at::ones(dims(d, n), options(o)))
FACTORY(empty, at::empty(dims(d, n), options(o)))
FACTORY(rand, at::rand(dims(d, n), opt(g), options(o)))
FACTORY(randn, at::randn(dims(d, n), opt(g), options(o)))

SRT Handle srt_full(const int64_t* d, int64_t n, NativeScalar value, NativeOptions o) {
    return tensor([&] { return grad_flag(at::full(dims(d, n), scalar(value), options(o)), o); });
}
// Copies n * element size bytes of host memory (data type `from`) into a new tensor, then converts and moves it.
SRT Handle srt_from_memory(const void* data, const int64_t* d, int64_t n, int from, NativeOptions o) {
    return tensor([&] {
        auto t = at::empty(dims(d, n), at::TensorOptions().dtype(static_cast<at::ScalarType>(from)));
        if (t.numel() > 0) memcpy(t.data_ptr(), data, static_cast<size_t>(t.numel()) * t.element_size());
        auto target = t.options();
        if (o.dtype >= 0) target = target.dtype(static_cast<at::ScalarType>(o.dtype));
        if (o.device_type >= 0) target = target.device(device(o.device_type, o.device_index));
        return grad_flag(t.to(target), o);
    });
}
SRT Handle srt_eye(int64_t rows, int64_t columns, NativeOptions o) {
    return tensor([&] { return grad_flag(at::eye(rows, columns, options(o)), o); });
}
SRT Handle srt_arange(NativeScalar start, NativeScalar stop, NativeScalar step, NativeOptions o) {
    return tensor([&] { return grad_flag(at::arange(scalar(start), scalar(stop), scalar(step), options(o)), o); });
}
SRT Handle srt_linspace(double start, double stop, int64_t steps, NativeOptions o) {
    return tensor([&] { return grad_flag(at::linspace(start, stop, steps, options(o)), o); });
}
SRT Handle srt_randint(int64_t low, int64_t high, const int64_t* d, int64_t n, NativeOptions o, GeneratorHandle g) {
    return tensor([&] { return at::randint(low, high, dims(d, n), opt(g), options(o)); });
}
SRT Handle srt_randperm(int64_t n, NativeOptions o, GeneratorHandle g) {
    return tensor([&] { return at::randperm(n, opt(g), options(o)); });
}
SRT Handle srt_multinomial(Handle t, int64_t num, int replacement, GeneratorHandle g) {
    return tensor([&] { return at::multinomial(*t, num, replacement != 0, opt(g)); });
}
SRT Handle srt_zeros_like(Handle t, NativeOptions o) { return tensor([&] { return grad_flag(at::zeros_like(*t, like_options(o)), o); }); }
SRT Handle srt_ones_like(Handle t, NativeOptions o) { return tensor([&] { return grad_flag(at::ones_like(*t, like_options(o)), o); }); }
SRT Handle srt_empty_like(Handle t, NativeOptions o) { return tensor([&] { return grad_flag(at::empty_like(*t, like_options(o)), o); }); }
SRT Handle srt_randn_like(Handle t, NativeOptions o) { return tensor([&] { return grad_flag(at::randn_like(*t, like_options(o)), o); }); }
SRT Handle srt_full_like(Handle t, NativeScalar v, NativeOptions o) {
    return tensor([&] { return grad_flag(at::full_like(*t, scalar(v), like_options(o)), o); });
}

// Shape.
SRT Handle srt_reshape(Handle t, const int64_t* d, int64_t n) { return tensor([&] { return t->reshape(dims(d, n)); }); }
SRT Handle srt_view(Handle t, const int64_t* d, int64_t n) { return tensor([&] { return t->view(dims(d, n)); }); }
SRT Handle srt_expand(Handle t, const int64_t* d, int64_t n) { return tensor([&] { return t->expand(dims(d, n)); }); }
SRT Handle srt_repeat(Handle t, const int64_t* d, int64_t n) { return tensor([&] { return t->repeat(dims(d, n)); }); }
SRT Handle srt_permute(Handle t, const int64_t* d, int64_t n) { return tensor([&] { return t->permute(dims(d, n)); }); }
SRT Handle srt_flip(Handle t, const int64_t* d, int64_t n) { return tensor([&] { return t->flip(dims(d, n)); }); }
SRT Handle srt_transpose(Handle t, int64_t a, int64_t b) { return tensor([&] { return t->transpose(a, b); }); }
SRT Handle srt_t(Handle t) { return tensor([&] { return t->t(); }); }
SRT Handle srt_unsqueeze(Handle t, int64_t d) { return tensor([&] { return t->unsqueeze(d); }); }
SRT Handle srt_squeeze(Handle t, int has, int64_t d) { return tensor([&] { return has ? t->squeeze(d) : t->squeeze(); }); }
SRT Handle srt_flatten(Handle t, int64_t start, int64_t end) { return tensor([&] { return t->flatten(start, end); }); }
SRT Handle srt_contiguous(Handle t) { return tensor([&] { return t->contiguous(); }); }
SRT Handle srt_repeat_interleave(Handle t, int64_t n, Handle repeats, int has, int64_t d) {
    return tensor([&] {
        auto dim = has ? Opt<int64_t>(d) : Opt<int64_t>();
        return repeats ? at::repeat_interleave(*t, *repeats, dim) : at::repeat_interleave(*t, n, dim);
    });
}
SRT Handle srt_narrow(Handle t, int64_t dim, int64_t start, int64_t length) { return tensor([&] { return t->narrow(dim, start, length); }); }
SRT Handle srt_select(Handle t, int64_t dim, int64_t i) { return tensor([&] { return t->select(dim, i); }); }
SRT Handle srt_tril(Handle t, int64_t d) { return tensor([&] { return t->tril(d); }); }
SRT Handle srt_triu(Handle t, int64_t d) { return tensor([&] { return t->triu(d); }); }
SRT Handle srt_diagonal(Handle t, int64_t o, int64_t a, int64_t b) { return tensor([&] { return t->diagonal(o, a, b); }); }
SRT Handle srt_cat(const Handle* ts, int64_t n, int64_t dim) { return tensor([&] { return at::cat(list(ts, n), dim); }); }
SRT Handle srt_stack(const Handle* ts, int64_t n, int64_t dim) { return tensor([&] { return at::stack(list(ts, n), dim); }); }

// Indexing. Mirrors the C# struct NativeIndex.
struct NativeIndex {
    int64_t kind; // 0 single, 1 slice, 2 ellipsis, 3 none, 4 tensor
    int64_t start, stop, step;
    int64_t given; // bits: 1 start, 2 stop, 4 step
    Handle tensor;
};

// int64_t in libtorch 1.13, SymInt in 2.x.
using Bound = Opt<std::decay_t<decltype(std::declval<at::indexing::Slice>().start())>>;

static std::vector<at::indexing::TensorIndex> indices(const NativeIndex* items, int64_t n) {
    using namespace at::indexing;
    std::vector<TensorIndex> r;
    for (int64_t k = 0; k < n; ++k) {
        auto& x = items[k];
        switch (x.kind) {
            case 0: r.emplace_back(x.start); break;
            case 1:
                r.emplace_back(Slice((x.given & 1) ? Bound(x.start) : Bound(),
                                     (x.given & 2) ? Bound(x.stop) : Bound(),
                                     (x.given & 4) ? Bound(x.step) : Bound()));
                break;
            case 2: r.emplace_back(Ellipsis); break;
            case 3: r.emplace_back(at::indexing::None); break;
            default: r.emplace_back(*x.tensor);
        }
    }
    return r;
}

SRT Handle srt_index(Handle t, const NativeIndex* items, int64_t n) { return tensor([&] { return t->index(indices(items, n)); }); }
SRT int srt_index_put_(Handle t, const NativeIndex* items, int64_t n, Handle value) {
    return status([&] { t->index_put_(indices(items, n), *value); });
}
SRT Handle srt_index_select(Handle t, int64_t dim, Handle i) { return tensor([&] { return t->index_select(dim, *i); }); }
SRT Handle srt_gather(Handle t, int64_t dim, Handle i) { return tensor([&] { return t->gather(dim, *i); }); }
SRT Handle srt_masked_select(Handle t, Handle m) { return tensor([&] { return t->masked_select(*m); }); }
SRT Handle srt_masked_fill(Handle t, Handle m, NativeScalar v) { return tensor([&] { return t->masked_fill(*m, scalar(v)); }); }
SRT int srt_masked_fill_(Handle t, Handle m, NativeScalar v) { return status([&] { t->masked_fill_(*m, scalar(v)); }); }
SRT Handle srt_nonzero(Handle t) { return tensor([&] { return t->nonzero(); }); }
SRT Handle srt_scatter_add(Handle t, int64_t dim, Handle i, Handle s) { return tensor([&] { return t->scatter_add(dim, *i, *s); }); }
SRT int srt_scatter_add_(Handle t, int64_t dim, Handle i, Handle s) { return status([&] { t->scatter_add_(dim, *i, *s); }); }
SRT int srt_scatter_(Handle t, int64_t dim, Handle i, Handle s) { return status([&] { t->scatter_(dim, *i, *s); }); }
SRT Handle srt_index_add(Handle t, int64_t dim, Handle i, Handle s, NativeScalar a) {
    return tensor([&] { return t->index_add(dim, *i, *s, scalar(a)); });
}
SRT int srt_index_add_(Handle t, int64_t dim, Handle i, Handle s, NativeScalar a) {
    return status([&] { t->index_add_(dim, *i, *s, scalar(a)); });
}
SRT int srt_index_copy_(Handle t, int64_t dim, Handle i, Handle s) { return status([&] { t->index_copy_(dim, *i, *s); }); }
SRT Handle srt_bincount(Handle t, Handle weights, int64_t minlength) { return tensor([&] { return at::bincount(*t, opt(weights), minlength); }); }
SRT Handle srt_where(Handle c, Handle x, Handle y) { return tensor([&] { return at::where(*c, *x, *y); }); }
SRT int srt_topk(Handle t, int64_t k, int64_t dim, int largest, int sorted, Handle* values, Handle* indexes) {
    return status([&] {
        auto r = at::topk(*t, k, dim, largest != 0, sorted != 0);
        *values = wrap(std::get<0>(r));
        *indexes = wrap(std::get<1>(r));
    });
}
SRT int srt_sort(Handle t, int64_t dim, int descending, int stable, Handle* values, Handle* indexes) {
    return status([&] {
        auto r = at::sort(*t, Opt<bool>(stable != 0), dim, descending != 0);
        *values = wrap(std::get<0>(r));
        *indexes = wrap(std::get<1>(r));
    });
}
SRT Handle srt_argsort(Handle t, int64_t dim, int descending) { return tensor([&] { return at::argsort(*t, dim, descending != 0); }); }
SRT int srt_unique(Handle t, int sorted, int inverse, int counts, Handle* out, Handle* inv, Handle* cnt) {
    return status([&] {
        auto r = at::_unique2(*t, sorted != 0, inverse != 0, counts != 0);
        *out = wrap(std::get<0>(r));
        *inv = inverse ? wrap(std::get<1>(r)) : nullptr;
        *cnt = counts ? wrap(std::get<2>(r)) : nullptr;
    });
}
