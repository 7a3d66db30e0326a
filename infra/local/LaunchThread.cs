using System.Collections.Concurrent;
using System.Diagnostics;

namespace StreamRec.Local;

/// <summary>
/// Starts processes that the kernel is to signal when this process dies. PR_SET_PDEATHSIG fires when the <em>thread</em> that forked ends, and pool
/// threads come and go: all such children are forked from this one.
/// </summary>
public static class LaunchThread
{
    private static readonly BlockingCollection<Action> Launches = Begin();

    /// <exception cref="Exception">What <see cref="Process.Start(ProcessStartInfo)"/> threw.</exception>
    public static Task<Process> StartAsync(ProcessStartInfo info)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Launches.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(info)!);
            }
            catch (Exception e)
            {
                started.SetException(e);
            }
        });
        return started.Task;
    }

    private static BlockingCollection<Action> Begin()
    {
        var launches = new BlockingCollection<Action>();
        new Thread(() =>
        {
            foreach (Action launch in launches.GetConsumingEnumerable())
                launch();
        })
        { IsBackground = true, Name = "streamrec-server-launcher" }.Start();
        return launches;
    }
}
