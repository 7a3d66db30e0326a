// Dropout for the CPU. libtorch's takes 13 ns per element, because it draws a double from a serial Mersenne twister for each; a counter-based
// hash needs no state per element, so it runs on all cores and in vector registers.
#include "srt.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <mutex>

using namespace srt;

#if defined(__x86_64__)
#define CLONES __attribute__((optimize("O3"), target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define CLONES __attribute__((optimize("O3")))
#endif

// Two rounds of a 32-bit mixer with low bias (github.com/skeeto/hash-prospector), a key in each.
#define MIX(x) \
    x ^= x >> 16; \
    x *= 0x7feb352dU; \
    x ^= x >> 15; \
    x *= 0x846ca68bU; \
    x ^= x >> 16;

CLONES static void fill_mask(float* out, int64_t n, uint32_t key1, uint32_t key2, uint32_t threshold, float scale) {
    for (int64_t i = 0; i < n; ++i) {
        uint32_t x = static_cast<uint32_t>(i) ^ key1;
        MIX(x)
        x += key2;
        MIX(x)
        out[i] = x >= threshold ? scale : 0.0f;
    }
}

static uint64_t splitmix(uint64_t z) {
    z += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

// 0 with probability p, else 1 / (1 - p); the same numbers for the same seed of the default generator, whatever the number of threads.
static at::Tensor dropout_mask(const at::Tensor& t, double p) {
    constexpr int64_t block = 16384;
    auto mask = at::empty(t.sizes(), at::TensorOptions().dtype(at::kFloat));
    auto generator = at::detail::getDefaultCPUGenerator();
    uint64_t seed;
    {
        std::lock_guard<std::mutex> lock(generator.mutex());
        seed = at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
    }
    float* out = mask.data_ptr<float>();
    const int64_t n = mask.numel();
    const auto threshold = static_cast<uint32_t>(p * 4294967296.0);
    const auto scale = static_cast<float>(1 / (1 - p));
    at::parallel_for(0, (n + block - 1) / block, 4, [&](int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) {
            const uint64_t key = splitmix(seed + static_cast<uint64_t>(b) * 0xd1342543de82ef95ULL);
            fill_mask(out + b * block, std::min(block, n - b * block), static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32), threshold, scale);
        }
    });
    return mask;
}

static bool fast(const at::Tensor& t, double p) { return t.device().is_cpu() && t.scalar_type() == at::kFloat && p > 0 && p < 1; }

SRT Handle srt_dropout(Handle t, double p, int training) {
    return tensor([&] {
        if (training && fast(*t, p)) return at::mul(*t, dropout_mask(*t, p));
        return at::dropout(*t, p, training != 0);
    });
}

SRT int srt_dropout_(Handle t, double p, int training) {
    return status([&] {
        if (training && fast(*t, p)) t->mul_(dropout_mask(*t, p));
        else at::dropout_(*t, p, training != 0);
    });
}
