using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace StreamRec.TrainerTests.Text;

/// <summary>
/// A model repository over HTTP on the loopback device, in Hugging Face's layout: content behind a redirect, checksum and commit in the answer that redirects,
/// byte ranges. Faults wait in a queue per file and hit the requests for content in their order.
/// </summary>
internal sealed class FaultyHub : IAsyncDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";
    private readonly WebApplication _app;

    private FaultyHub(WebApplication app) => _app = app;

    public Dictionary<string, byte[]> Files { get; } = [];

    /// <summary>What happens to the next requests for a file's content; a null is an untroubled one.</summary>
    public Dictionary<string, Queue<Func<HttpContext, byte[], Task>?>> Faults { get; } = [];

    /// <summary>Every request for content: file, first byte asked for, and whether it carried a token.</summary>
    public ConcurrentQueue<(string File, long From, bool Token)> Asked { get; } = [];

    public bool Ranges { get; set; } = true;

    public Uri Endpoint { get; private set; } = null!;

    public static async Task<FaultyHub> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        var app = builder.Build();
        var hub = new FaultyHub(app);
        app.MapMethods("/{owner}/{name}/resolve/{revision}/{**file}", ["GET", "HEAD"], hub.Resolve);
        app.MapMethods("/content/{**file}", ["GET", "HEAD"], hub.ContentAsync);
        await app.StartAsync();
        hub.Endpoint = new Uri(app.Urls.Single());
        return hub;
    }

    public static Func<HttpContext, byte[], Task> Status(int status) => (context, _) =>
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    };

    /// <summary>Sends some bytes of what was asked for and drops the connection.</summary>
    public static Func<HttpContext, byte[], Task> CutAfter(int bytes) => async (context, content) =>
    {
        var from = First(context);
        context.Response.StatusCode = from > 0 ? 206 : 200;
        context.Response.ContentLength = content.Length - from;
        if (from > 0)
            context.Response.Headers.ContentRange = $"bytes {from}-{content.Length - 1}/{content.Length}";
        await context.Response.Body.WriteAsync(content.AsMemory((int)from, bytes));
        await context.Response.Body.FlushAsync();
        // Returning early: the server closes a connection it owes bytes on. An abort would also take back what it has sent.
    };

    public static Func<HttpContext, byte[], Task> Garbled() => async (context, content) =>
    {
        var wrong = (byte[])content.Clone();
        wrong[^1] ^= 1;
        context.Response.ContentLength = wrong.Length;
        await context.Response.Body.WriteAsync(wrong);
    };

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private Task Resolve(HttpContext context, string revision, string file)
    {
        if (!Files.TryGetValue(file, out var content) || revision is not ("main" or Commit))
        {
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        }

        context.Response.Headers["X-Linked-Etag"] = $"\"{Convert.ToHexStringLower(SHA256.HashData(content))}\"";
        context.Response.Headers["X-Linked-Size"] = content.Length.ToString(CultureInfo.InvariantCulture);
        context.Response.Headers["X-Repo-Commit"] = Commit;
        context.Response.StatusCode = 302;
        // By name instead of by number: another host, to which no token may go.
        context.Response.Headers.Location = $"http://localhost:{Endpoint.Port}/content/{file}";
        return Task.CompletedTask;
    }

    private async Task ContentAsync(HttpContext context, string file)
    {
        var content = Files[file];
        context.Response.Headers.ETag = "\"of-the-store\"";
        if (context.Request.Method == "HEAD")
        {
            context.Response.ContentLength = content.Length;
            return;
        }

        Asked.Enqueue((file, First(context), context.Request.Headers.Authorization.Count > 0));
        if (Faults.TryGetValue(file, out var queue) && queue.TryDequeue(out var fault) && fault is not null)
        {
            await fault(context, content);
            return;
        }

        var from = Ranges ? First(context) : 0;
        context.Response.StatusCode = from > 0 ? 206 : 200;
        context.Response.ContentLength = content.Length - from;
        if (from > 0)
            context.Response.Headers.ContentRange = $"bytes {from}-{content.Length - 1}/{content.Length}";
        await context.Response.Body.WriteAsync(content.AsMemory((int)from));
    }

    private static long First(HttpContext context) => context.Request.GetTypedHeaders().Range?.Ranges.Single().From ?? 0;
}
