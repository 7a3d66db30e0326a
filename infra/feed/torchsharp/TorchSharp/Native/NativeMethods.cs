using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tensor = TorchSharp.torch.Tensor;

namespace TorchSharp;

/// <summary>The C functions of native/*.cpp; a name here is the name there. Lifetime, data, devices, random numbers, autograd, optimisers.</summary>
internal static partial class NativeMethods
{
    public const string Library = "streamrec_torch";

    static NativeMethods() => NativeLibrary.SetDllImportResolver(typeof(NativeMethods).Assembly, NativeLoader.Resolve);

    /// <summary>The error of the last failed call on this thread, as the genuine package throws it.</summary>
    public static ExternalException Error() => new(Marshal.PtrToStringUTF8(srt_last_error()) ?? "unknown error in libtorch");

    /// <summary>Handles of the tensors (0 for null), for functions that take a list; the caller keeps the tensors alive.</summary>
    public static nint[] Handles(IEnumerable<Tensor?> tensors) => tensors.Select(t => t is null ? 0 : t.Handle).ToArray();

    [LibraryImport(Library)] private static partial nint srt_last_error();
    [LibraryImport(Library)] internal static partial long srt_live_tensors();
    [LibraryImport(Library)] internal static partial void srt_dispose(nint t);

    // Plain reads: too short for the cost of a GC transition.
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long srt_ndim(Tensor t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long srt_numel(Tensor t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int srt_dtype(Tensor t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int srt_device_type(Tensor t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int srt_device_index(Tensor t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int srt_is_contiguous(Tensor t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long srt_element_size(Tensor t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int srt_requires_grad(Tensor t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int srt_is_leaf(Tensor t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long srt_shape(Tensor t, Span<long> shape, long capacity);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long srt_stride(Tensor t, Span<long> stride, long capacity);

    [LibraryImport(Library)] internal static partial nint srt_data(Tensor t);
    [LibraryImport(Library)] internal static partial int srt_item(Tensor t, out double d, out long i);
    [LibraryImport(Library)] internal static partial Tensor srt_alias(Tensor t);
    [LibraryImport(Library)] internal static partial Tensor srt_to(Tensor t, int dtype, int deviceType, int deviceIndex);
    [LibraryImport(Library)] internal static partial Status srt_set_requires_grad(Tensor t, int on);
    [LibraryImport(Library)] internal static partial Status srt_grad(Tensor t, out nint grad);
    [LibraryImport(Library)] internal static partial Status srt_set_grad(Tensor t, Tensor? grad);
    [LibraryImport(Library)] internal static partial Status srt_set_data(Tensor t, Tensor source);

    [LibraryImport(Library)] internal static partial void srt_set_num_threads(int n);
    [LibraryImport(Library)] internal static partial int srt_get_num_threads();
    [LibraryImport(Library)] internal static partial int srt_cuda_available();
    [LibraryImport(Library)] internal static partial int srt_cuda_count();
    [LibraryImport(Library)] internal static partial Status srt_cuda_synchronize();

    [LibraryImport(Library)] internal static partial Status srt_manual_seed(long seed);
    [LibraryImport(Library)] internal static partial Status srt_cuda_manual_seed_all(long seed);
    [LibraryImport(Library)] internal static partial nint srt_generator_default();
    [LibraryImport(Library)] internal static partial nint srt_generator_new(ulong seed, int deviceType, int deviceIndex);
    [LibraryImport(Library)] internal static partial Status srt_generator_seed(nint g, long seed);
    [LibraryImport(Library)] internal static partial Tensor srt_generator_state(nint g);
    [LibraryImport(Library)] internal static partial Status srt_generator_set_state(nint g, Tensor state);
    [LibraryImport(Library)] internal static partial void srt_generator_dispose(nint g);

    [LibraryImport(Library)] internal static partial int srt_grad_mode();
    [LibraryImport(Library)] internal static partial void srt_set_grad_mode(int on);
    [LibraryImport(Library)] internal static partial Status srt_backward(nint[] outputs, long n, int retain, int create);
    [LibraryImport(Library)]
    internal static partial Status srt_autograd_grad(nint[] outputs, long n, nint[] inputs, long m, nint[] seeds, long k, int retain, int create, int allowUnused, [In, Out] nint[] result);

    [LibraryImport(Library)] internal static partial void srt_release_cache();
    [LibraryImport(Library)] internal static partial Status srt_adam(nint[] parameters, nint[] m, nint[] v, long n, AdamSettings settings);
    [LibraryImport(Library)] internal static partial Status srt_sgd(nint[] parameters, long n, double lr, double weightDecay);
    [LibraryImport(Library)] internal static partial Status srt_zero_grad(nint[] parameters, long n);
    [LibraryImport(Library)] internal static partial Status srt_clip_grad_norm(nint[] parameters, long n, double maxNorm, double normType, out double norm);
}
