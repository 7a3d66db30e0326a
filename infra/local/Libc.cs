using System.Runtime.InteropServices;

namespace StreamRec.Local;

/// <summary>The system calls .NET has no API for.</summary>
internal static partial class Libc
{
    public const int SigInt = 2, SigKill = 9, SigTerm = 15, SigCont = 18;

    [LibraryImport("libc", SetLastError = true)]
    public static partial int kill(int pid, int signal);

    [LibraryImport("libc")]
    public static partial uint geteuid();
}
