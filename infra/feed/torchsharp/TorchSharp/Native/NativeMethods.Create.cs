using System.Runtime.InteropServices;
using Tensor = TorchSharp.torch.Tensor;

namespace TorchSharp;

/// <summary>Functions of native/create.cpp: factories, shape, indexing.</summary>
internal static partial class NativeMethods
{
    [LibraryImport(Library)] internal static partial Tensor srt_zeros(ReadOnlySpan<long> d, long n, NativeOptions o, nint g);
    [LibraryImport(Library)] internal static partial Tensor srt_ones(ReadOnlySpan<long> d, long n, NativeOptions o, nint g);
    [LibraryImport(Library)] internal static partial Tensor srt_empty(ReadOnlySpan<long> d, long n, NativeOptions o, nint g);
    [LibraryImport(Library)] internal static partial Tensor srt_rand(ReadOnlySpan<long> d, long n, NativeOptions o, nint g);
    [LibraryImport(Library)] internal static partial Tensor srt_randn(ReadOnlySpan<long> d, long n, NativeOptions o, nint g);
    [LibraryImport(Library)] internal static partial Tensor srt_full(ReadOnlySpan<long> d, long n, Scalar value, NativeOptions o);
    [LibraryImport(Library)] internal static unsafe partial Tensor srt_from_memory(void* data, ReadOnlySpan<long> d, long n, int from, NativeOptions o);
    [LibraryImport(Library)] internal static partial Tensor srt_eye(long rows, long columns, NativeOptions o);
    [LibraryImport(Library)] internal static partial Tensor srt_arange(Scalar start, Scalar stop, Scalar step, NativeOptions o);
    [LibraryImport(Library)] internal static partial Tensor srt_linspace(double start, double stop, long steps, NativeOptions o);
    [LibraryImport(Library)] internal static partial Tensor srt_randint(long low, long high, ReadOnlySpan<long> d, long n, NativeOptions o, nint g);
    [LibraryImport(Library)] internal static partial Tensor srt_randperm(long n, NativeOptions o, nint g);
    [LibraryImport(Library)] internal static partial Tensor srt_multinomial(Tensor t, long num, int replacement, nint g);
    [LibraryImport(Library)] internal static partial Tensor srt_zeros_like(Tensor t, NativeOptions o);
    [LibraryImport(Library)] internal static partial Tensor srt_ones_like(Tensor t, NativeOptions o);
    [LibraryImport(Library)] internal static partial Tensor srt_empty_like(Tensor t, NativeOptions o);
    [LibraryImport(Library)] internal static partial Tensor srt_randn_like(Tensor t, NativeOptions o);
    [LibraryImport(Library)] internal static partial Tensor srt_full_like(Tensor t, Scalar value, NativeOptions o);

    [LibraryImport(Library)] internal static partial Tensor srt_reshape(Tensor t, ReadOnlySpan<long> d, long n);
    [LibraryImport(Library)] internal static partial Tensor srt_view(Tensor t, ReadOnlySpan<long> d, long n);
    [LibraryImport(Library)] internal static partial Tensor srt_expand(Tensor t, ReadOnlySpan<long> d, long n);
    [LibraryImport(Library)] internal static partial Tensor srt_repeat(Tensor t, ReadOnlySpan<long> d, long n);
    [LibraryImport(Library)] internal static partial Tensor srt_permute(Tensor t, ReadOnlySpan<long> d, long n);
    [LibraryImport(Library)] internal static partial Tensor srt_flip(Tensor t, ReadOnlySpan<long> d, long n);
    [LibraryImport(Library)] internal static partial Tensor srt_transpose(Tensor t, long a, long b);
    [LibraryImport(Library)] internal static partial Tensor srt_t(Tensor t);
    [LibraryImport(Library)] internal static partial Tensor srt_unsqueeze(Tensor t, long d);
    [LibraryImport(Library)] internal static partial Tensor srt_squeeze(Tensor t, int has, long d);
    [LibraryImport(Library)] internal static partial Tensor srt_flatten(Tensor t, long start, long end);
    [LibraryImport(Library)] internal static partial Tensor srt_contiguous(Tensor t);
    [LibraryImport(Library)] internal static partial Tensor srt_repeat_interleave(Tensor t, long n, Tensor? repeats, int has, long d);
    [LibraryImport(Library)] internal static partial Tensor srt_narrow(Tensor t, long dim, long start, long length);
    [LibraryImport(Library)] internal static partial Tensor srt_select(Tensor t, long dim, long index);
    [LibraryImport(Library)] internal static partial Tensor srt_tril(Tensor t, long d);
    [LibraryImport(Library)] internal static partial Tensor srt_triu(Tensor t, long d);
    [LibraryImport(Library)] internal static partial Tensor srt_diagonal(Tensor t, long offset, long a, long b);
    [LibraryImport(Library)] internal static partial Tensor srt_cat(nint[] tensors, long n, long dim);
    [LibraryImport(Library)] internal static partial Tensor srt_stack(nint[] tensors, long n, long dim);

    [LibraryImport(Library)] internal static partial Tensor srt_index(Tensor t, ReadOnlySpan<NativeIndex> items, long n);
    [LibraryImport(Library)] internal static partial Status srt_index_put_(Tensor t, ReadOnlySpan<NativeIndex> items, long n, Tensor value);
    [LibraryImport(Library)] internal static partial Tensor srt_index_select(Tensor t, long dim, Tensor index);
    [LibraryImport(Library)] internal static partial Tensor srt_gather(Tensor t, long dim, Tensor index);
    [LibraryImport(Library)] internal static partial Tensor srt_masked_select(Tensor t, Tensor mask);
    [LibraryImport(Library)] internal static partial Tensor srt_masked_fill(Tensor t, Tensor mask, Scalar value);
    [LibraryImport(Library)] internal static partial Status srt_masked_fill_(Tensor t, Tensor mask, Scalar value);
    [LibraryImport(Library)] internal static partial Tensor srt_nonzero(Tensor t);
    [LibraryImport(Library)] internal static partial Tensor srt_scatter_add(Tensor t, long dim, Tensor index, Tensor source);
    [LibraryImport(Library)] internal static partial Status srt_scatter_add_(Tensor t, long dim, Tensor index, Tensor source);
    [LibraryImport(Library)] internal static partial Status srt_scatter_(Tensor t, long dim, Tensor index, Tensor source);
    [LibraryImport(Library)] internal static partial Tensor srt_index_add(Tensor t, long dim, Tensor index, Tensor source, Scalar alpha);
    [LibraryImport(Library)] internal static partial Status srt_index_add_(Tensor t, long dim, Tensor index, Tensor source, Scalar alpha);
    [LibraryImport(Library)] internal static partial Status srt_index_copy_(Tensor t, long dim, Tensor index, Tensor source);
    [LibraryImport(Library)] internal static partial Tensor srt_bincount(Tensor t, Tensor? weights, long minlength);
    [LibraryImport(Library)] internal static partial Tensor srt_where(Tensor condition, Tensor x, Tensor y);
    [LibraryImport(Library)] internal static partial Status srt_topk(Tensor t, long k, long dim, int largest, int sorted, out nint values, out nint indexes);
    [LibraryImport(Library)] internal static partial Status srt_sort(Tensor t, long dim, int descending, int stable, out nint values, out nint indexes);
    [LibraryImport(Library)] internal static partial Tensor srt_argsort(Tensor t, long dim, int descending);
    [LibraryImport(Library)] internal static partial Status srt_unique(Tensor t, int sorted, int inverse, int counts, out nint output, out nint inv, out nint cnt);
}
