using System.Reflection;
using System.Runtime.InteropServices;

namespace TorchSharp;

/// <summary>
/// Finds libstreamrec_torch.so: beside the assembly, in the folder (or file) named by STREAMREC_TORCH_NATIVE, then in .streamrec/native
/// of a folder above the assembly. Loads the distribution's OpenBLAS first, because the default libblas is about 20 times slower.
/// </summary>
internal static partial class NativeLoader
{
    private const string File = "libstreamrec_torch.so";
    private const int Abi = 1; // srt_abi in native/core.cpp
    private static readonly Lock Gate = new();
    private static nint _library;

    /// <summary>Resolver of every P/Invoke of this assembly; the caller keeps it registered for the life of the process.</summary>
    public static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (name != NativeMethods.Library)
            return 0;
        lock (Gate)
            return _library != 0 ? _library : _library = Load();
    }

    private static nint Load()
    {
        PreferOpenBlas();
        // Waiting OpenMP threads would spin: where other processes need the cores (a whole pipeline on two), a step then takes ten times
        // as long. libgomp reads the process environment when it is loaded, and .NET's own copy of it does not reach there.
        if (OperatingSystem.IsLinux())
            _ = SetEnvironment("OMP_WAIT_POLICY", "passive", overwrite: 0);
        var candidates = Candidates().Distinct().ToArray();
        var file = candidates.FirstOrDefault(System.IO.File.Exists)
            ?? throw new DllNotFoundException(
                $"{File} is not built. Run infra/feed/torchsharp/native/build.sh (needs g++ and libtorch-dev), or set STREAMREC_TORCH_NATIVE to its folder. Looked at: {string.Join(", ", candidates)}");
        nint library;
        try
        {
            library = NativeLibrary.Load(file);
        }
        catch (DllNotFoundException e)
        {
            throw new DllNotFoundException($"{file} does not load: {e.Message} Install libtorch-dev 1.13 and libopenblas0-pthread, or build it again with infra/feed/torchsharp/native/build.sh.", e);
        }

        Start(library, file);
        return library;
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    private static unsafe void Start(nint library, string file)
    {
        var abi = ((delegate* unmanaged<int>)NativeLibrary.GetExport(library, "srt_abi"))();
        if (abi != Abi)
            throw new DllNotFoundException($"{file} has interface {abi}, this assembly needs {Abi}: run infra/feed/torchsharp/native/build.sh again");

        // Debian's libtorch starts with one thread.
        if (Environment.GetEnvironmentVariable("OMP_NUM_THREADS") is null or "")
            ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "srt_set_num_threads"))(Environment.ProcessorCount);
    }

    private static IEnumerable<string> Candidates()
    {
        var beside = Path.GetDirectoryName(typeof(NativeLoader).Assembly.Location);
        yield return Path.Combine(string.IsNullOrEmpty(beside) ? AppContext.BaseDirectory : beside, File);
        yield return Path.Combine(AppContext.BaseDirectory, File);
        if (Environment.GetEnvironmentVariable("STREAMREC_TORCH_NATIVE") is { Length: > 0 } setting)
            yield return setting.EndsWith(".so", StringComparison.Ordinal) ? setting : Path.Combine(setting, File);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            yield return Path.Combine(folder.FullName, ".streamrec", "native", File);
    }

    /// <summary>
    /// libtorch asks for libblas.so.3 and liblapack.so.3 by name; the loader reuses libraries of that name that are loaded already,
    /// so loading OpenBLAS's here gives its speed whatever the distribution's alternatives point to.
    /// </summary>
    private static void PreferOpenBlas()
    {
        const string folder = "/usr/lib/x86_64-linux-gnu/openblas-pthread";
        foreach (var name in new[] { "libblas.so.3", "liblapack.so.3" })
        {
            // Its absence is no error: libtorch then takes the default.
            if (System.IO.File.Exists(Path.Combine(folder, name)))
                NativeLibrary.TryLoad(Path.Combine(folder, name), out _);
        }
    }
}
