using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace StreamRec.Trainer.Text;

/// <summary>How far a pull is.</summary>
/// <param name="File">Name in the repository.</param>
/// <param name="Done">Bytes on disk.</param>
/// <param name="Total">Bytes in all; null when the server does not say.</param>
public readonly record struct PullProgress(string File, long Done, long? Total);

/// <summary>One file of a finished pull.</summary>
/// <param name="Name">Name in the repository.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">Of the content, hex.</param>
/// <param name="Verified">The server's checksum was compared; false where it gave none.</param>
public sealed record PulledFile(string Name, long Size, string Sha256, bool Verified);

/// <summary>
/// Fetches an encoder in Hugging Face's layout. A file is written beside its place and takes its name only when it is whole and its checksum is right, so
/// a folder never holds half a model; what a cut connection or a kill left is gone on with by a Range request. All files come from one commit.
/// Files there already with the right checksum are not fetched again.
/// </summary>
public sealed class WeightsPull(HubOptions options)
{
    private const string Weights = "model.safetensors";
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(30);
    private static readonly string[] Required = ["config.json", "vocab.txt"];
    private static readonly string[] Optional = ["tokenizer_config.json", "sentence_bert_config.json", "modules.json", "1_Pooling/config.json"];

    /// <param name="repository">owner/name.</param>
    /// <param name="folder">Created if absent.</param>
    /// <param name="progress">Called as bytes arrive; may be null.</param>
    /// <param name="ct">Leaves what is there for the next pull.</param>
    /// <exception cref="HubException">The server has no such file, refuses, or failed too often in a row.</exception>
    /// <exception cref="InvalidDataException">
    /// The model is of a kind this encoder does not compute (seen before its weights are fetched), or a checksum is wrong twice.
    /// </exception>
    public async Task<IReadOnlyList<PulledFile>> PullAsync(
        string repository, string folder,
        IProgress<PullProgress>? progress = null, CancellationToken ct = default)
    {
        using var hub = new ModelHub(options);
        var first = await RetryAsync(() => hub.FindAsync(hub.UrlOf(repository, options.Revision, Required[0]), ct), Required[0], ct);
        var commit = first?.Commit ?? options.Revision;
        var pulled = new List<PulledFile>();
        async Task Pull(string file, bool required)
        {
            if (await PullFileAsync(hub, hub.UrlOf(repository, commit, file), file, folder, progress, ct) is { } done)
                pulled.Add(done);
            else if (required)
            {
                throw new HubException(
                    $"{hub.UrlOf(repository, commit, file)} answers 404: {repository} has no {file}; "
                    + $"an encoder needs {string.Join(", ", Required)} and {Weights}");
            }
        }

        foreach (var file in Required)
            await Pull(file, required: true);
        BertConfig.Load(Path.Combine(folder, Required[0])); // of another kind: said before hundreds of megabytes are fetched
        foreach (var file in Optional)
            await Pull(file, required: false);
        await Pull(Weights, required: true);
        return pulled;
    }

    private async Task<PulledFile?> PullFileAsync(ModelHub hub, Uri url, string file, string folder, IProgress<PullProgress>? progress, CancellationToken ct)
    {
        if (await RetryAsync(() => hub.FindAsync(url, ct), file, ct) is not { } remote)
            return null;
        var target = Path.Combine(folder, file);
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        if (File.Exists(target) && Sums.Of(target) is { } present && present.Matches(remote) == true)
            return new PulledFile(file, present.Size, present.Sha256, Verified: true);

        var part = $"{target}.part";
        var partOf = $"{target}.part.of"; // which version the part belongs to
        var version = $"{remote.Checksum} {remote.Size}";
        if (!File.Exists(partOf) || await File.ReadAllTextAsync(partOf, ct) != version)
            File.Delete(part);
        await File.WriteAllTextAsync(partOf, version, ct);
        for (var again = false; ; again = true)
        {
            await DownloadAsync(hub, url, file, part, remote.Size, progress, ct);
            var sums = Sums.Of(part);
            if (sums.Matches(remote) is false)
            {
                File.Delete(part);
                if (!again)
                    continue; // a proxy or a disk may have garbled it: once more from the start
                throw new InvalidDataException(
                    $"{url}: the content does not have the checksum the server states, "
                    + $"{remote.Checksum}, twice in a row; its SHA-256 is {sums.Sha256}");
            }

            File.Move(part, target, overwrite: true);
            File.Delete(partOf);
            return new PulledFile(file, sums.Size, sums.Sha256, sums.Matches(remote) == true);
        }
    }

    /// <summary>Brings the part to its full length, however many connections that takes, as long as each brings something.</summary>
    private async Task DownloadAsync(ModelHub hub, Uri url, string file, string part, long? size, IProgress<PullProgress>? progress, CancellationToken ct)
    {
        var before = File.Exists(part) ? new FileInfo(part).Length : 0;
        var idle = 0;
        while (true)
        {
            try
            {
                await ReceiveAsync(hub, url, file, part, size, progress, ct);
                return;
            }
            catch (Exception e) when (e is HttpRequestException or IOException && !ct.IsCancellationRequested)
            {
                var now = File.Exists(part) ? new FileInfo(part).Length : 0;
                idle = now > before ? 0 : idle + 1;
                before = now;
                await WaitAsync(idle, file, e, ct);
            }
        }
    }

    private async Task ReceiveAsync(ModelHub hub, Uri url, string file, string part, long? size, IProgress<PullProgress>? progress, CancellationToken ct)
    {
        var have = File.Exists(part) ? new FileInfo(part).Length : 0;
        if (size is { } whole && have >= whole)
        {
            if (have == whole)
                return;
            File.Delete(part); // longer than the file: of something else
            have = 0;
        }

        using var answer = await hub.OpenAsync(url, have, ct);
        ModelHub.Check(answer, url);
        var resumed = answer.StatusCode == System.Net.HttpStatusCode.PartialContent && answer.Content.Headers.ContentRange?.From == have;
        var at = resumed ? have : 0; // a server without ranges sends it all
        await using var target = new FileStream(part, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        target.SetLength(at);
        target.Position = at;
        await using var source = await answer.Content.ReadAsStreamAsync(ct);
        var buffer = new byte[1 << 17];
        while (true)
        {
            int read;
            using (var silence = CancellationTokenSource.CreateLinkedTokenSource(ct))
            {
                silence.CancelAfter(options.Silence);
                try
                {
                    read = await source.ReadAsync(buffer, silence.Token);
                }
                catch (OperationCanceledException) when (!ct.IsCancellationRequested)
                {
                    throw new IOException($"{url}: nothing came for {options.Silence.TotalSeconds:0.#} s");
                }
            }

            if (read == 0)
                break;
            await target.WriteAsync(buffer.AsMemory(0, read), ct);
            at += read;
            progress?.Report(new PullProgress(file, at, size));
        }

        await target.FlushAsync(ct);
        target.Flush(flushToDisk: true);
        if (size is { } expected && at < expected)
            throw new IOException($"{url}: the connection ended after {at} of {expected} bytes");
    }

    private async Task<T> RetryAsync<T>(Func<Task<T>> ask, string file, CancellationToken ct)
    {
        for (var failed = 1; ; failed++)
        {
            try
            {
                return await ask();
            }
            catch (Exception e) when (e is HttpRequestException or IOException && !ct.IsCancellationRequested)
            {
                await WaitAsync(failed, file, e, ct);
            }
        }
    }

    private Task WaitAsync(int failed, string file, Exception why, CancellationToken ct)
    {
        if (failed >= options.Attempts)
            throw new HubException($"{file}: given up after {failed} tries in a row that brought nothing; the last: {why.Message}", why);
        var wait = options.Backoff * Math.Pow(2, Math.Max(0, failed - 1));
        return Task.Delay(wait < LongestBackoff ? wait : LongestBackoff, ct);
    }

    /// <summary>Size and checksums of a file on disk: its SHA-256, and the SHA-1 git names it by.</summary>
    private sealed record Sums(long Size, string Sha256, string GitSha1)
    {
        public static Sums Of(string path)
        {
            using var file = File.OpenRead(path);
            using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
#pragma warning disable CA5350 // git's object names are SHA-1; nothing here rests on it being strong
            using var sha1 = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
#pragma warning restore CA5350
            sha1.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {file.Length}\0")));
            var buffer = new byte[1 << 17];
            for (int read; (read = file.Read(buffer)) > 0;)
            {
                sha256.AppendData(buffer.AsSpan(0, read));
                sha1.AppendData(buffer.AsSpan(0, read));
            }

            return new Sums(file.Length, Convert.ToHexStringLower(sha256.GetHashAndReset()), Convert.ToHexStringLower(sha1.GetHashAndReset()));
        }

        /// <summary>Null when the server's tag is no checksum of the content.</summary>
        public bool? Matches(RemoteFile remote) => remote.Checksum?.Length switch
        {
            64 => string.Equals(remote.Checksum, Sha256, StringComparison.OrdinalIgnoreCase),
            40 => string.Equals(remote.Checksum, GitSha1, StringComparison.OrdinalIgnoreCase),
            _ => null,
        };
    }
}
