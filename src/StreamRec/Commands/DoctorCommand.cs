using System.CommandLine;
using StreamRec.Local;

namespace StreamRec.Commands;

/// <summary><c>doctor</c>: each prerequisite, whether it is there, and what to do where it is not.</summary>
internal static class DoctorCommand
{
    /// <summary>One line of the report.</summary>
    /// <param name="Name">What is checked.</param>
    /// <param name="State">ok, missing (something will not work) or absent (optional).</param>
    /// <param name="Detail">What was found, or what to do.</param>
    private sealed record Check(string Name, string State, string Detail);

    public static Command Create()
    {
        var command = new Command("doctor", "Check each prerequisite and say what to install. Exit code 1 if something needed is missing.")
        {
            CommandContext.Json,
        };
        command.SetAction(async (parsed, ct) =>
        {
            Check[] checks = [.. Runtime(), .. Stores(), .. await KafkaAsync(ct), .. Native()];
            if (parsed.GetValue(CommandContext.Json))
                CommandContext.PrintJson(checks);
            else
                foreach (Check check in checks)
                    System.Console.WriteLine($"{check.State,-8} {check.Name,-26} {check.Detail}");
            return checks.Any(c => c.State == "missing") ? 1 : 0;
        });
        return command;
    }

    private static IEnumerable<Check> Runtime()
    {
        yield return new Check(".NET", Environment.Version.Major >= 10 ? "ok" : "missing", $"{Environment.Version}, {Environment.ProcessorCount} cores");
        long free = new DriveInfo(LocalPaths.Root).AvailableFreeSpace >> 30;
        yield return new Check("disk", free >= 5 ? "ok" : "missing", $"{free} GB free at {LocalPaths.Root} (5 GB needed)");
        foreach (string program in (string[])["setsid", "setpriv"])
            yield return Program(program, Programs.Find(program), "util-linux");
    }

    private static IEnumerable<Check> Stores()
    {
        yield return Server("Postgres", LocalServers.PostgresVariable, Programs.FindPostgres("initdb"), "initdb", "postgresql");
        yield return Server("Redis", LocalServers.RedisVariable, Programs.Find("redis-server"), "redis-server", "redis-server");
    }

    private static async Task<IEnumerable<Check>> KafkaAsync(CancellationToken ct)
    {
        string? bootstrap = Variable(LocalServers.KafkaVariable), home = Variable(LocalServers.KafkaHomeVariable);
        bool docker = await LocalServers.DockerAnswersAsync(ct);
        string uses = bootstrap is not null ? $"the broker at {bootstrap}"
            : docker && LocalServers.CanUseDocker ? "a container"
            : home is not null ? $"a private broker from {home}"
            : "librdkafka's in-process broker: memory only, never for production";
        var checks = new List<Check>
        {
            new("Kafka", "ok", "would use " + uses),
            new("Kafka: external", bootstrap is null ? "absent" : "ok", bootstrap ?? $"{LocalServers.KafkaVariable} is not set"),
            new("Kafka: Docker", docker && LocalServers.CanUseDocker ? "ok" : "absent", DockerDetail(docker)),
        };
        if (home is null)
        {
            checks.Add(new Check("Kafka: distribution", "absent", $"{LocalServers.KafkaHomeVariable} is not set"));
            return checks;
        }

        bool jars = Directory.Exists(Path.Combine(home, "libs"));
        checks.Add(new Check("Kafka: distribution", jars ? "ok" : "missing", jars ? home : $"{LocalServers.KafkaHomeVariable}='{home}' has no libs folder"));
        checks.Add(Program("java", Programs.FindJava(), "openjdk-17-jre-headless"));
        return checks;
    }

    private static string DockerDetail(bool answers) => (answers, LocalServers.CanUseDocker) switch
    {
        (true, true) => "a Docker engine answers",
        (true, false) => "a Docker engine answers, but Testcontainers is not on the package feed; use infra/compose.yaml by hand",
        _ => "no Docker engine answers",
    };

    private static IEnumerable<Check> Native()
    {
        string shim = Path.Combine(AppContext.BaseDirectory, "libstreamrec_torch.so");
        string genuine = Path.Combine(AppContext.BaseDirectory, "TorchSharp.dll");
        yield return File.Exists(shim) ? new Check("Torch", "ok", "the subset over the distribution's libtorch")
            : Directory.Exists(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native")) && File.Exists(genuine)
                ? new Check("Torch", "ok", "the genuine TorchSharp package")
                : new Check("Torch", "missing", "neither the package nor the subset is built: run infra/feed/setup, then ./streamrec again");
        bool openblas = Directory.Exists("/usr/lib/x86_64-linux-gnu/openblas-pthread") || Directory.Exists("/usr/lib/aarch64-linux-gnu/openblas-pthread");
        if (File.Exists(shim))
        {
            yield return new Check(
                "OpenBLAS",
                openblas ? "ok" : "missing",
                openblas ? "found" : "training is 30 times slower without: apt-get install -y libopenblas0-pthread");
        }
    }

    private static Check Server(string name, string variable, string? found, string program, string package) =>
        Variable(variable) is not null ? new Check(name, "ok", $"external, {variable} is set") : Program(name, found, package, program);

    private static Check Program(string name, string? found, string package, string? program = null) => found is not null
        ? new Check(name, "ok", found)
        : new Check(name, "missing", $"no '{program ?? name}': apt-get install -y {package}");

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
