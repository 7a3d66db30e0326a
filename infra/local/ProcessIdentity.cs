using System.Globalization;
using System.Text;

namespace StreamRec.Local;

/// <summary>
/// Names one process for good. A pid alone is reused by the system, so its start time, the boot it belongs to and a part of its
/// command line (its own data folder) must agree before a signal is sent.
/// </summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartTicks">Start time in clock ticks since boot (field 22 of /proc/PID/stat).</param>
/// <param name="BootId">The kernel's id of this boot.</param>
/// <param name="Marker">Text that the command line contains.</param>
internal sealed record ProcessIdentity(int Pid, long StartTicks, string BootId, string Marker)
{
    private static readonly string ThisBoot = File.Exists("/proc/sys/kernel/random/boot_id")
        ? File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim() : "";

    public static ProcessIdentity Of(int pid, string marker) => new(pid, Stat(pid)?.StartTicks ?? -1, ThisBoot, marker);

    /// <summary>Whether that very process still runs.</summary>
    public bool IsAlive =>
        BootId == ThisBoot && Stat(Pid) is { } stat && stat.StartTicks == StartTicks && stat.State != 'Z' && CommandLine(Pid).Contains(Marker, StringComparison.Ordinal);

    /// <summary>All processes below <paramref name="pid"/>, children first.</summary>
    public static List<int> Descendants(int pid)
    {
        var children = new Dictionary<int, List<int>>();
        foreach (string dir in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(dir), CultureInfo.InvariantCulture, out int other) && Stat(other) is { } stat)
            {
                if (!children.TryGetValue(stat.Parent, out List<int>? list))
                    children[stat.Parent] = list = [];
                list.Add(other);
            }
        }

        var found = new List<int>();
        var open = new Queue<int>([pid]);
        while (open.TryDequeue(out int parent))
        {
            foreach (int child in children.GetValueOrDefault(parent, []))
            {
                found.Add(child);
                open.Enqueue(child);
            }
        }

        return found;
    }

    private static (char State, int Parent, long StartTicks)? Stat(int pid)
    {
        string text;
        try
        {
            text = File.ReadAllText($"/proc/{pid}/stat");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // The process is gone.
        }

        // The second field is the name in parentheses and may itself hold spaces and parentheses.
        string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return (fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture), long.Parse(fields[19], CultureInfo.InvariantCulture));
    }

    private static string CommandLine(int pid)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{pid}/cmdline")).Replace('\0', ' ');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // The process is gone.
        }
    }
}
