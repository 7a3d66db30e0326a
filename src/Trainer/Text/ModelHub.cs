using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace StreamRec.Trainer.Text;

/// <summary>Where encoders are pulled from and how patiently.</summary>
public sealed record HubOptions
{
    /// <summary>A server with Hugging Face's layout: <c>ENDPOINT/REPOSITORY/resolve/REVISION/FILE</c>.</summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>Branch, tag or commit. Default main.</summary>
    public string Revision { get; init; } = "main";

    /// <summary>Sent to <see cref="Endpoint"/> only, never to where it redirects; null for public repositories.</summary>
    public string? Token { get; init; }

    /// <summary>Tries in a row that bring no new byte before a file is given up. Default 5.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>Wait after the first failed try, doubled after each further one up to 30 s. Default 1 s.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A connection that brings nothing for this long counts as cut. Default 30 s.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>What the server says about a file, without its content.</summary>
/// <param name="Size">Bytes; null when it does not say.</param>
/// <param name="Checksum">64 hex digits: SHA-256; 40: the SHA-1 of a git blob; anything else tells versions apart but proves nothing.</param>
/// <param name="Commit">The repository's commit, where the server names it.</param>
internal sealed record RemoteFile(long? Size, string? Checksum, string? Commit);

/// <summary>The connection to a model repository failed for good; the message says which file, what was asked and what the server said.</summary>
public sealed class HubException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// HTTP towards a model repository: redirects followed by hand, because the checksum stands in the answer that redirects, and the token must not travel on.
/// Thread-safe.
/// </summary>
internal sealed class ModelHub : IDisposable
{
    private const int MaxRedirects = 5;
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(15) })
    {
        Timeout = Timeout.InfiniteTimeSpan, // a large file may take hours; silence is what ends a try
        DefaultRequestHeaders = { UserAgent = { new ProductInfoHeaderValue("streamrec", "1.0") } },
    };

    private readonly HubOptions _options;

    public ModelHub(HubOptions options) => _options = options;

    public Uri UrlOf(string repository, string revision, string file) =>
        new(_options.Endpoint, $"{repository}/resolve/{Uri.EscapeDataString(revision)}/{file}");

    /// <summary>Size, checksum and commit of a file; null when there is none.</summary>
    public async Task<RemoteFile?> FindAsync(Uri url, CancellationToken ct)
    {
        var found = new RemoteFile(null, null, null);
        using var answer = await SendAsync(HttpMethod.Head, url, null, hop => found = Merge(found, hop), ct);
        if (answer.StatusCode == HttpStatusCode.NotFound)
            return null;
        Check(answer, url);
        return found;
    }

    /// <summary>The file's content from a byte on; the caller disposes the answer. 200 means from the start, 206 from <paramref name="from"/>.</summary>
    public Task<HttpResponseMessage> OpenAsync(Uri url, long from, CancellationToken ct) =>
        SendAsync(HttpMethod.Get, url, from > 0 ? new RangeHeaderValue(from, null) : null, null, ct);

    /// <exception cref="HubException">The server refuses; asking again would not help.</exception>
    /// <exception cref="HttpRequestException">It may help to ask again.</exception>
    public static void Check(HttpResponseMessage answer, Uri url)
    {
        var status = (int)answer.StatusCode;
        if (status is 200 or 206)
            return;
        if (status is 408 or 429 or >= 500)
            throw new HttpRequestException($"{url} answers {status} {answer.ReasonPhrase}", null, answer.StatusCode);
        throw status switch
        {
            401 or 403 => new HubException($"{url} answers {status} {answer.ReasonPhrase}: the repository is private or gated; set HF_TOKEN"),
            404 => new HubException($"{url} answers 404: there is no such repository, revision or file"),
            _ => new HubException($"{url} answers {status} {answer.ReasonPhrase}"),
        };
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, Uri url, RangeHeaderValue? range, Action<HttpResponseMessage>? hop, CancellationToken ct)
    {
        var at = url;
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(method, at) { Headers = { Range = range } };
            request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity")); // offsets and checksums are of the plain bytes
            if (_options.Token is { } token && at.Host == _options.Endpoint.Host)
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            using var silence = CancellationTokenSource.CreateLinkedTokenSource(ct);
            silence.CancelAfter(_options.Silence);
            HttpResponseMessage answer;
            try
            {
                answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                throw new HttpRequestException($"{at} did not answer within {_options.Silence.TotalSeconds:0.#} s");
            }

            hop?.Invoke(answer);
            if ((int)answer.StatusCode is not (301 or 302 or 303 or 307 or 308) || answer.Headers.Location is not { } location)
                return answer;
            answer.Dispose();
            if (redirects == MaxRedirects)
                throw new HubException($"{url} redirects more than {MaxRedirects} times, last to {location}");
            at = new Uri(at, location);
        }
    }

    /// <summary>The first answer that says something counts: a redirect's target may carry an entity tag of its own.</summary>
    private static RemoteFile Merge(RemoteFile found, HttpResponseMessage answer)
    {
        string? Header(string name) => answer.Headers.TryGetValues(name, out var values) ? values.First() : null;
        var tag = Header("X-Linked-Etag") ?? answer.Headers.ETag?.Tag;
        var linked = Header("X-Linked-Size") is { } size ? long.Parse(size, CultureInfo.InvariantCulture) : (long?)null;
        var plain = answer.IsSuccessStatusCode ? answer.Content.Headers.ContentLength : null;
        return new RemoteFile(found.Size ?? linked ?? plain, found.Checksum ?? tag?.Trim('"'), found.Commit ?? Header("X-Repo-Commit"));
    }
}
