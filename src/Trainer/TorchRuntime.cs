using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer;

/// <summary>How libtorch uses this machine. Call before anything touches a tensor.</summary>
public static class TorchRuntime
{
    private static readonly Lock Gate = new();
    private static bool _prepared;

    /// <summary>Sets the thread count (0 = all processors) and, once per process, how idle threads wait.</summary>
    public static void Prepare(int threads)
    {
        lock (Gate)
        {
            if (!_prepared && OperatingSystem.IsLinux())
            {
                // OpenMP's threads spin between operations. Next to servers on the same cores that made training 4 times slower (measured on 2 cores
                // with a load of 6); asleep they cost nothing noticeable. libgomp reads the variable when it is loaded; the user's own setting wins.
                _ = setenv("OMP_WAIT_POLICY", "passive", 0);
            }

            _prepared = true;
        }

        torch.set_num_threads(threads > 0 ? threads : Environment.ProcessorCount);
    }

    /// <summary>The device of a setting: <c>cpu</c>, <c>cuda</c>, or <c>auto</c> = cuda where there is one.</summary>
    /// <exception cref="InvalidOperationException">cuda is asked for and there is none.</exception>
    public static Device DeviceOf(string setting)
    {
        if (setting == "cpu")
            return torch.CPU;
        if (torch.cuda.is_available())
            return torch.CUDA;
        return setting == "auto"
            ? torch.CPU
            : throw new InvalidOperationException(
                "Trainer.Device is 'cuda', but libtorch sees no CUDA device; use auto or cpu");
    }

    // Environment.SetEnvironmentVariable does not reach native code on Unix.
    [DllImport("libc", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int setenv([MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, int overwrite);
}
