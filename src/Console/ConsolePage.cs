using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace StreamRec.Console;

/// <summary>The ops page: three embedded files, no build step, nothing fetched from elsewhere.</summary>
internal static class ConsolePage
{
    public static void MapPage(this IEndpointRouteBuilder app)
    {
        Serve(app, "/", "index.html", "text/html; charset=utf-8");
        Serve(app, "/console.css", "console.css", "text/css; charset=utf-8");
        Serve(app, "/console.js", "console.js", "text/javascript; charset=utf-8");
    }

    private static void Serve(IEndpointRouteBuilder app, string path, string file, string type)
    {
        var content = Read(file);
        app.MapGet(path, (HttpResponse response) =>
        {
            response.Headers.ContentSecurityPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";
            return TypedResults.Bytes(content, type);
        }).ExcludeFromDescription();
    }

    private static byte[] Read(string file)
    {
        using var stream = typeof(ConsolePage).Assembly.GetManifestResourceStream($"StreamRec.Console.Page.{file}")
            ?? throw new InvalidOperationException($"the page file {file} is not embedded in {typeof(ConsolePage).Assembly.GetName().Name}");
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }
}
