using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace StreamRec.GraphStore;

/// <summary>What the runtime does not say of memory.</summary>
internal static partial class Memory
{
    private const int HugePage = 2 << 20, AdviseHugePages = 14;

    /// <summary>
    /// A large array nobody has written to yet. On Linux the kernel is asked for pages of 2 MiB: random reads then miss the address translation less often.
    /// It is advice: where it is not taken nothing else changes.
    /// </summary>
    public static unsafe T[] Allocate<T>(int length)
        where T : unmanaged
    {
        var array = GC.AllocateUninitializedArray<T>(length);
        if ((long)length * sizeof(T) < 2 * HugePage || !OperatingSystem.IsLinux())
            return array;
        fixed (T* start = array)
        {
            var from = ((nuint)start + HugePage - 1) & ~(nuint)(HugePage - 1);
            var end = ((nuint)start + ((nuint)length * (nuint)sizeof(T))) & ~(nuint)(HugePage - 1);
            _ = Advise((void*)from, end - from, AdviseHugePages);
        }

        return array;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static unsafe partial int Advise(void* address, nuint length, int advice);

    /// <summary>Asks for a cache line that will be read or written soon; where the processor has no such instruction it does nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Prefetch<T>(ref T at)
        where T : unmanaged
    {
        // A prefetch of a moved or freed address is harmless, so the reference need not be pinned.
        if (Sse.IsSupported)
            Sse.Prefetch0(Unsafe.AsPointer(ref at));
    }
}
