// C ABI over libtorch for the TorchSharp subset beside this folder. Every function catches every C++ exception: tensor functions
// return null, status functions -1, and srt_last_error() then has the text. A handle is a heap-allocated at::Tensor.
#ifndef STREAMREC_SRT_H // Not a pragma: build.sh includes a precompiled copy first.
#define STREAMREC_SRT_H
#include <ATen/ATen.h>
#include <torch/version.h>

#include <atomic>
#include <string>
#include <vector>

#define SRT extern "C" __attribute__((visibility("default")))

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 5)
template <class T> using Opt = std::optional<T>;
#else
template <class T> using Opt = c10::optional<T>;
#endif

using Handle = at::Tensor*;
using GeneratorHandle = at::Generator*;

// Mirrors the C# struct NativeScalar.
struct NativeScalar {
    double d;
    int64_t i;
    int64_t kind; // 0 absent, 1 integer, 2 floating point, 3 boolean
};

// Mirrors the C# struct NativeOptions: dtype -1 = let libtorch infer it, device type -1 = CPU.
struct NativeOptions {
    int32_t dtype;
    int32_t device_type;
    int32_t device_index;
    int32_t requires_grad;
};

namespace srt {
extern std::atomic<int64_t> live;
extern thread_local std::string last_error;

void set_error(const std::exception& e);
void set_unknown_error();

inline Handle wrap(at::Tensor t) {
    auto* h = new at::Tensor(std::move(t));
    live.fetch_add(1, std::memory_order_relaxed);
    return h;
}

// An undefined tensor means "none" and becomes a null handle without an error.
inline Handle wrap_or_null(at::Tensor t) { return t.defined() ? wrap(std::move(t)) : nullptr; }

template <class F> Handle tensor(F&& f) noexcept {
    try {
        return wrap(f());
    } catch (const std::exception& e) {
        set_error(e);
    } catch (...) {
        set_unknown_error();
    }
    return nullptr;
}

template <class F> int status(F&& f) noexcept {
    try {
        f();
        return 0;
    } catch (const std::exception& e) {
        set_error(e);
    } catch (...) {
        set_unknown_error();
    }
    return -1;
}

inline at::Scalar scalar(const NativeScalar& s) {
    if (s.kind == 1) return at::Scalar(s.i);
    if (s.kind == 3) return at::Scalar(s.i != 0);
    return at::Scalar(s.d);
}

inline Opt<at::Scalar> opt_scalar(const NativeScalar& s) {
    return s.kind == 0 ? Opt<at::Scalar>() : Opt<at::Scalar>(scalar(s));
}

inline Opt<at::Tensor> opt(Handle h) { return h ? Opt<at::Tensor>(*h) : Opt<at::Tensor>(); }

inline Opt<at::Generator> opt(GeneratorHandle g) { return g ? Opt<at::Generator>(*g) : Opt<at::Generator>(); }

inline Opt<at::ScalarType> opt_dtype(int dtype) {
    return dtype < 0 ? Opt<at::ScalarType>() : Opt<at::ScalarType>(static_cast<at::ScalarType>(dtype));
}

inline at::Device device(int type, int index) {
    return type < 0 ? at::Device(at::kCPU) : at::Device(static_cast<at::DeviceType>(type), static_cast<c10::DeviceIndex>(index));
}

inline at::TensorOptions options(const NativeOptions& o) {
    auto r = at::TensorOptions().device(device(o.device_type, o.device_index));
    return o.dtype < 0 ? r : r.dtype(static_cast<at::ScalarType>(o.dtype));
}

// For the *_like family: what is not given stays as in the source tensor.
inline at::TensorOptions like_options(const NativeOptions& o) {
    auto r = at::TensorOptions();
    if (o.dtype >= 0) r = r.dtype(static_cast<at::ScalarType>(o.dtype));
    if (o.device_type >= 0) r = r.device(device(o.device_type, o.device_index));
    return r;
}

inline at::Tensor grad_flag(at::Tensor t, const NativeOptions& o) {
    if (o.requires_grad) t.set_requires_grad(true);
    return t;
}

inline std::vector<at::Tensor> list(const Handle* handles, int64_t n) {
    std::vector<at::Tensor> r;
    r.reserve(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) r.push_back(handles[i] ? *handles[i] : at::Tensor());
    return r;
}

inline at::IntArrayRef dims(const int64_t* d, int64_t n) { return at::IntArrayRef(d, static_cast<size_t>(n)); }
} // namespace srt

#endif
