// A cache of freed tensor memory. A training step allocates and frees the same large blocks again and again; glibc gives them back to the
// system each time, and the page faults of the next step then cost about as much as its arithmetic.
#include "srt.h"

#include <c10/core/CPUAllocator.h>

#include <cstdlib>
#include <mutex>
#include <unordered_map>

#if TORCH_VERSION_MAJOR < 2 // Later libtorch has another Allocator interface; it keeps its own.
namespace {
constexpr size_t kHeader = 64;               // Keeps the data aligned to a cache line, as libtorch expects.
constexpr size_t kSmallest = 64 << 10;       // Below, malloc does not go to the system.
constexpr size_t kMostCached = 768ull << 20; // More than a step of the trainer's largest model holds at once; beyond it blocks are freed.

class CachingAllocator final : public c10::Allocator {
public:
    c10::DataPtr allocate(size_t n) const override {
        if (n == 0) return {nullptr, nullptr, &release, at::Device(at::kCPU)};
        const size_t size = block_size(n + kHeader);
        void* base = size >= kSmallest ? take(size) : nullptr;
        if (!base && posix_memalign(&base, kHeader, size) != 0) {
            trim();
            TORCH_CHECK(posix_memalign(&base, kHeader, size) == 0, "not enough memory for a tensor of ", n, " bytes");
        }
        *static_cast<size_t*>(base) = size;
        void* data = static_cast<char*>(base) + kHeader;
        return {data, data, &release, at::Device(at::kCPU)};
    }

    at::DeleterFnPtr raw_deleter() const override { return &release; }

    static void trim() {
        std::lock_guard<std::mutex> lock(gate());
        for (auto& entry : blocks())
            for (void* base : entry.second) free(base);
        blocks().clear();
        cached() = 0;
    }

private:
    // Eighths of a power of two: tensors of nearly the same size share blocks, at most an eighth is wasted.
    static size_t block_size(size_t n) {
        if (n < kSmallest) return n;
        size_t step = kSmallest / 8;
        while (step * 16 <= n) step *= 2;
        return (n + step - 1) / step * step;
    }

    static void* take(size_t size) {
        std::lock_guard<std::mutex> lock(gate());
        auto found = blocks().find(size);
        if (found == blocks().end() || found->second.empty()) return nullptr;
        void* base = found->second.back();
        found->second.pop_back();
        cached() -= size;
        return base;
    }

    static void release(void* data) {
        if (!data) return;
        void* base = static_cast<char*>(data) - kHeader;
        const size_t size = *static_cast<size_t*>(base);
        if (size >= kSmallest) {
            std::lock_guard<std::mutex> lock(gate());
            if (cached() + size <= kMostCached) {
                blocks()[size].push_back(base);
                cached() += size;
                return;
            }
        }
        free(base);
    }

    // Never destroyed: tensors may still be freed while the process ends.
    static std::mutex& gate() { static auto* m = new std::mutex; return *m; }
    static std::unordered_map<size_t, std::vector<void*>>& blocks() { static auto* b = new std::unordered_map<size_t, std::vector<void*>>; return *b; }
    static size_t& cached() { static size_t bytes = 0; return bytes; }
};

const bool installed = [] {
    static auto* allocator = new CachingAllocator;
    c10::SetCPUAllocator(allocator, /*priority=*/1);
    return true;
}();
} // namespace

// Gives the cached blocks back to the system; called when an optimiser, and so a training run, ends.
SRT void srt_release_cache() { CachingAllocator::trim(); }
#else
SRT void srt_release_cache() {}
#endif
