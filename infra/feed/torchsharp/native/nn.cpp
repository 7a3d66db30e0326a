// Functions of neural networks, autograd, the optimisers' inner loop.
#include "srt.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <cmath>

using namespace srt;

SRT Handle srt_softmax(Handle t, int64_t dim) { return tensor([&] { return at::softmax(*t, dim); }); }
SRT Handle srt_log_softmax(Handle t, int64_t dim) { return tensor([&] { return at::log_softmax(*t, dim); }); }
SRT Handle srt_leaky_relu(Handle t, double slope) { return tensor([&] { return at::leaky_relu(*t, slope); }); }
SRT Handle srt_elu(Handle t, double alpha) { return tensor([&] { return at::elu(*t, alpha); }); }
SRT Handle srt_layer_norm(Handle t, const int64_t* d, int64_t n, Handle w, Handle b, double eps) {
    return tensor([&] { return at::layer_norm(*t, dims(d, n), opt(w), opt(b), eps); });
}
SRT Handle srt_linear(Handle t, Handle w, Handle b) { return tensor([&] { return at::linear(*t, *w, opt(b)); }); }
SRT Handle srt_one_hot(Handle t, int64_t classes) { return tensor([&] { return at::one_hot(*t, classes); }); }
SRT Handle srt_cosine_similarity(Handle a, Handle b, int64_t dim) { return tensor([&] { return at::cosine_similarity(*a, *b, dim); }); }
SRT Handle srt_cross_entropy(Handle t, Handle target, Handle weight, int64_t ignore, int reduction, double smoothing) {
    return tensor([&] { return at::cross_entropy_loss(*t, *target, opt(weight), reduction, ignore, smoothing); });
}
SRT Handle srt_bce_with_logits(Handle t, Handle target) { return tensor([&] { return at::binary_cross_entropy_with_logits(*t, *target); }); }
SRT Handle srt_embedding(Handle weight, Handle index, int64_t padding) { return tensor([&] { return at::embedding(*weight, *index, padding); }); }

// Autograd.
SRT int srt_grad_mode() { return at::GradMode::is_enabled() ? 1 : 0; }
SRT void srt_set_grad_mode(int on) { at::GradMode::set_enabled(on != 0); }
SRT int srt_backward(const Handle* outs, int64_t n, int retain, int create) {
    return status([&] { torch::autograd::backward(list(outs, n), {}, Opt<bool>(retain != 0), create != 0); });
}
SRT int srt_autograd_grad(const Handle* outs, int64_t n, const Handle* ins, int64_t m, const Handle* seeds, int64_t k, int retain,
                          int create, int allow_unused, Handle* result) {
    return status([&] {
        auto r = torch::autograd::grad(list(outs, n), list(ins, m), list(seeds, k), Opt<bool>(retain != 0), create != 0, allow_unused != 0);
        for (size_t i = 0; i < r.size(); ++i) result[i] = wrap_or_null(r[i]);
    });
}

// Optimisers: one call for all parameters of a group. A parameter without a gradient is left alone.
static bool plain(const at::Tensor& a, at::ScalarType type) { return a.device().is_cpu() && a.is_contiguous() && a.scalar_type() == type; }

struct AdamSettings {
    double lr, beta1, beta2, eps, weight_decay;
    int64_t step;
    int64_t decoupled; // 1 AdamW, 0 Adam with L2
};

template <class T>
static void adam_loop(at::Tensor& p, const at::Tensor& g, at::Tensor& m, at::Tensor& v, const AdamSettings& s) {
    T* pp = p.data_ptr<T>();
    const T* gg = g.data_ptr<T>();
    T* mm = m.data_ptr<T>();
    T* vv = v.data_ptr<T>();
    const double c1 = 1 - std::pow(s.beta1, static_cast<double>(s.step)), c2 = 1 - std::pow(s.beta2, static_cast<double>(s.step));
    const T decay = s.decoupled ? static_cast<T>(1 - s.lr * s.weight_decay) : T(1), l2 = s.decoupled ? T(0) : static_cast<T>(s.weight_decay);
    const T b1 = static_cast<T>(s.beta1), a1 = static_cast<T>(1 - s.beta1), b2 = static_cast<T>(s.beta2), a2 = static_cast<T>(1 - s.beta2);
    const T step = static_cast<T>(s.lr / c1), root = static_cast<T>(1 / std::sqrt(c2)), eps = static_cast<T>(s.eps);
    at::parallel_for(0, p.numel(), 32768, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const T grad = gg[i] + l2 * pp[i];
            mm[i] = b1 * mm[i] + a1 * grad;
            vv[i] = b2 * vv[i] + a2 * grad * grad;
            pp[i] = pp[i] * decay - step * mm[i] / (std::sqrt(vv[i]) * root + eps);
        }
    });
}

static void adam_tensor(at::Tensor& p, at::Tensor g, at::Tensor& m, at::Tensor& v, const AdamSettings& s) {
    const double c1 = 1 - std::pow(s.beta1, static_cast<double>(s.step)), c2 = 1 - std::pow(s.beta2, static_cast<double>(s.step));
    if (s.decoupled) p.mul_(1 - s.lr * s.weight_decay);
    else if (s.weight_decay != 0) g = g.add(p, s.weight_decay);
    m.mul_(s.beta1).add_(g, 1 - s.beta1);
    v.mul_(s.beta2).addcmul_(g, g, 1 - s.beta2);
    p.addcdiv_(m, v.sqrt().div_(std::sqrt(c2)).add_(s.eps), -s.lr / c1);
}

SRT int srt_adam(const Handle* params, const Handle* ms, const Handle* vs, int64_t n, AdamSettings s) {
    return status([&] {
        at::AutoGradMode no_grad(false);
        for (int64_t i = 0; i < n; ++i) {
            auto p = *params[i];
            auto g = p.grad();
            if (!g.defined()) continue;
            auto m = *ms[i], v = *vs[i];
            const auto type = p.scalar_type();
            if ((type == at::kFloat || type == at::kDouble) && plain(p, type) && plain(g, type) && plain(m, type) && plain(v, type)) {
                if (type == at::kFloat) adam_loop<float>(p, g, m, v, s);
                else adam_loop<double>(p, g, m, v, s);
                p.unsafeGetTensorImpl()->bump_version();
            } else {
                adam_tensor(p, g, m, v, s);
            }
        }
    });
}

SRT int srt_sgd(const Handle* params, int64_t n, double lr, double weight_decay) {
    return status([&] {
        at::AutoGradMode no_grad(false);
        for (int64_t i = 0; i < n; ++i) {
            auto g = params[i]->grad();
            if (!g.defined()) continue;
            if (weight_decay != 0) g = g.add(*params[i], weight_decay);
            params[i]->add_(g, -lr);
        }
    });
}

SRT int srt_zero_grad(const Handle* params, int64_t n) {
    return status([&] {
        for (int64_t i = 0; i < n; ++i) {
            auto& g = params[i]->mutable_grad();
            if (!g.defined()) continue;
            if (g.requires_grad() || !g.is_leaf()) g = g.detach();
            g.zero_();
        }
    });
}

SRT int srt_clip_grad_norm(const Handle* params, int64_t n, double max_norm, double norm_type, double* out) {
    return status([&] {
        at::AutoGradMode no_grad(false);
        std::vector<at::Tensor> grads, norms;
        for (int64_t i = 0; i < n; ++i)
            if (params[i]->grad().defined()) grads.push_back(params[i]->grad());
        *out = 0;
        if (grads.empty()) return;
        for (auto& g : grads) norms.push_back(at::norm(g, norm_type));
        *out = at::norm(at::stack(norms), norm_type).item<double>();
        const double scale = max_norm / (*out + 1e-6);
        if (scale < 1)
            for (auto& g : grads) g.mul_(scale);
    });
}
