using System.Globalization;
using Microsoft.Extensions.Logging;

namespace StreamRec.Demo;

/// <summary>
/// Log lines of the roles into a file, because the terminal belongs to the picture. Remembers the newest warning for the footer.
/// Flushed line by line: a killed demo leaves its log.
/// </summary>
internal sealed class FileLog : ILoggerProvider
{
    private readonly StreamWriter _file;
    private readonly Lock _lock = new();

    public FileLog(string path)
    {
        Path = path;
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        _file = new StreamWriter(path, append: false) { AutoFlush = true };
    }

    public string Path { get; }

    /// <summary>The newest warning or error and when it came; null while there is none.</summary>
    public (DateTimeOffset At, string Text)? Newest { get; private set; }

    public ILogger CreateLogger(string categoryName) => new Category(this, categoryName);

    public void Dispose() => _file.Dispose();

    private void Write(LogLevel level, string category, string text, Exception? exception)
    {
        var now = DateTimeOffset.Now;
        lock (_lock)
        {
            _file.WriteLine(
                $"{now.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture)} {level,-11} {category}: {text}"
                + (exception is null ? "" : Environment.NewLine + exception));
            if (level >= LogLevel.Warning)
                Newest = (now, exception is null ? text : $"{text}: {exception.Message}");
        }
    }

    private sealed class Category(FileLog log, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                log.Write(logLevel, name, formatter(state, exception), exception);
        }
    }
}
