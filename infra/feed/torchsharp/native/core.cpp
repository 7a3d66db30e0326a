// Lifetime, errors, data access, devices, random numbers.
#include "srt.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>

namespace srt {
std::atomic<int64_t> live{0};
thread_local std::string last_error;

void set_error(const std::exception& e) {
    // The backtrace of a c10::Error says nothing to a C# reader.
    if (auto* torch_error = dynamic_cast<const c10::Error*>(&e)) last_error = torch_error->what_without_backtrace();
    else last_error = e.what();
    if (last_error.empty()) last_error = "libtorch threw an exception without a message";
}

void set_unknown_error() { last_error = "libtorch threw something that is not a std::exception"; }
} // namespace srt

using namespace srt;

SRT int srt_abi() { return 1; }
SRT const char* srt_version() { return TORCH_VERSION; }
SRT const char* srt_last_error() { return last_error.c_str(); }
SRT int64_t srt_live_tensors() { return live.load(std::memory_order_relaxed); }

SRT void srt_dispose(Handle h) {
    if (!h) return;
    live.fetch_sub(1, std::memory_order_relaxed);
    delete h;
}

SRT int64_t srt_ndim(Handle t) { return t->dim(); }
SRT int64_t srt_numel(Handle t) { return t->numel(); }
SRT int srt_dtype(Handle t) { return static_cast<int>(t->scalar_type()); }
SRT int srt_device_type(Handle t) { return static_cast<int>(t->device().type()); }
SRT int srt_device_index(Handle t) { return t->device().index(); }
SRT int srt_is_contiguous(Handle t) { return t->is_contiguous() ? 1 : 0; }
SRT int64_t srt_element_size(Handle t) { return static_cast<int64_t>(t->element_size()); }
SRT int srt_requires_grad(Handle t) { return t->requires_grad() ? 1 : 0; }
SRT int srt_is_leaf(Handle t) { return t->is_leaf() ? 1 : 0; }

// Copies at most cap dimensions and returns how many the tensor has.
SRT int64_t srt_shape(Handle t, int64_t* out, int64_t cap) {
    auto s = t->sizes();
    for (int64_t i = 0; i < static_cast<int64_t>(s.size()) && i < cap; ++i) out[i] = s[static_cast<size_t>(i)];
    return static_cast<int64_t>(s.size());
}

SRT int64_t srt_stride(Handle t, int64_t* out, int64_t cap) {
    auto s = t->strides();
    for (int64_t i = 0; i < static_cast<int64_t>(s.size()) && i < cap; ++i) out[i] = s[static_cast<size_t>(i)];
    return static_cast<int64_t>(s.size());
}

SRT void* srt_data(Handle t) {
    try {
        return t->data_ptr();
    } catch (const std::exception& e) {
        set_error(e);
        return nullptr;
    }
}

// kind of the result: 1 integer (in *i), 2 floating point (in *d), 3 boolean (in *i).
SRT int srt_item(Handle t, double* d, int64_t* i) {
    try {
        auto s = t->item();
        if (s.isBoolean()) { *i = s.toBool() ? 1 : 0; return 3; }
        if (s.isIntegral(false)) { *i = s.toLong(); return 1; }
        *d = s.toDouble();
        return 2;
    } catch (const std::exception& e) {
        set_error(e);
        return -1;
    }
}

SRT Handle srt_alias(Handle t) { return tensor([&] { return t->alias(); }); }
SRT Handle srt_to(Handle t, int dtype, int device_type, int device_index) {
    return tensor([&] {
        auto o = t->options();
        if (dtype >= 0) o = o.dtype(static_cast<at::ScalarType>(dtype));
        if (device_type >= 0) o = o.device(device(device_type, device_index));
        return t->to(o);
    });
}
SRT int srt_set_requires_grad(Handle t, int on) { return status([&] { t->set_requires_grad(on != 0); }); }
SRT int srt_grad(Handle t, Handle* out) { return status([&] { *out = wrap_or_null(t->grad()); }); }
SRT int srt_set_grad(Handle t, Handle g) { return status([&] { t->mutable_grad() = g ? *g : at::Tensor(); }); }
SRT int srt_set_data(Handle t, Handle source) { return status([&] { t->set_data(*source); }); }

// Threads and devices.
SRT void srt_set_num_threads(int n) { at::set_num_threads(n); }
SRT int srt_get_num_threads() { return at::get_num_threads(); }
SRT int srt_cuda_available() { return at::hasCUDA() && at::detail::getCUDAHooks().getNumGPUs() > 0 ? 1 : 0; }
SRT int srt_cuda_count() { return at::hasCUDA() ? at::detail::getCUDAHooks().getNumGPUs() : 0; }
SRT int srt_cuda_synchronize() {
    return status([&] { at::detail::getCUDAHooks().deviceSynchronize(at::detail::getCUDAHooks().current_device()); });
}

// Random numbers.
SRT int srt_manual_seed(int64_t seed) { return status([&] { at::manual_seed(static_cast<uint64_t>(seed)); }); }
SRT int srt_cuda_manual_seed_all(int64_t seed) {
    return status([&] {
        for (int i = 0; i < srt_cuda_count(); ++i) {
            auto g = at::globalContext().defaultGenerator(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(i)));
            std::lock_guard<std::mutex> lock(g.mutex());
            g.set_current_seed(static_cast<uint64_t>(seed));
        }
    });
}
SRT GeneratorHandle srt_generator_default() {
    try {
        return new at::Generator(at::detail::getDefaultCPUGenerator());
    } catch (const std::exception& e) {
        set_error(e);
        return nullptr;
    }
}
SRT GeneratorHandle srt_generator_new(uint64_t seed, int device_type, int device_index) {
    try {
        auto d = device(device_type, device_index);
        auto g = d.is_cpu() ? at::make_generator<at::CPUGeneratorImpl>(seed) : at::globalContext().defaultGenerator(d).clone();
        g.set_current_seed(seed);
        return new at::Generator(g);
    } catch (const std::exception& e) {
        set_error(e);
        return nullptr;
    }
}
SRT int srt_generator_seed(GeneratorHandle g, int64_t seed) {
    return status([&] {
        std::lock_guard<std::mutex> lock(g->mutex());
        g->set_current_seed(static_cast<uint64_t>(seed));
    });
}
SRT Handle srt_generator_state(GeneratorHandle g) { return tensor([&] { return g->get_state(); }); }
SRT int srt_generator_set_state(GeneratorHandle g, Handle state) { return status([&] { g->set_state(*state); }); }
SRT void srt_generator_dispose(GeneratorHandle g) { delete g; }
