namespace StreamRec.Trainer.Text;

/// <summary>
/// Learns a WordPiece vocabulary from texts: all characters, then the most frequent pair of neighbouring pieces becomes a piece, again and again
/// (byte-pair merging, as Hugging Face's WordPiece trainer does). The same texts give the same pieces. About a second for 50,000 different words.
/// </summary>
public sealed class WordPieceTrainer
{
    /// <summary>Rarer words than the first so many are left out: their pieces would be rare too.</summary>
    private const int MaxWords = 50_000;

    private const int MinPairCount = 2;
    private readonly List<string> _pieces = [];
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<(int Left, int Right), long> _counts = [];
    private readonly Dictionary<(int Left, int Right), HashSet<int>> _where = [];
    private readonly PriorityQueue<(int Left, int Right), (long Count, int Left, int Right)> _best = new();
    private readonly List<(int[] Pieces, long Count)> _words = [];

    private WordPieceTrainer()
    {
    }

    /// <param name="texts">What to learn from.</param>
    /// <param name="size">Pieces at most, the five special ones and every character included.</param>
    /// <param name="lowerCase">Fold case and strip accents, as the tokenizer to be will.</param>
    /// <param name="ct">Checked between merges.</param>
    public static WordPieceVocabulary Train(IEnumerable<string> texts, int size, bool lowerCase = true, CancellationToken ct = default)
    {
        var trainer = new WordPieceTrainer();
        foreach (var special in new[]
        {
            WordPieceVocabulary.PadToken, WordPieceVocabulary.UnknownToken,
            WordPieceVocabulary.StartToken, WordPieceVocabulary.EndToken,
            WordPieceVocabulary.MaskToken,
        })
            trainer.Id(special);
        trainer.Count(texts, lowerCase, ct);
        while (trainer._pieces.Count < size && trainer.Merge())
            ct.ThrowIfCancellationRequested();
        return new WordPieceVocabulary([.. trainer._pieces.Take(Math.Max(size, 5))]);
    }

    private void Count(IEnumerable<string> texts, bool lowerCase, CancellationToken ct)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var text in texts)
        {
            ct.ThrowIfCancellationRequested();
            WordPieceTokenizer.Words(text, lowerCase, word => lookup[word] = lookup.TryGetValue(word, out var count) ? count + 1 : 1);
        }

        var words = counts.OrderByDescending(w => w.Value).ThenBy(w => w.Key, StringComparer.Ordinal).Take(MaxWords).ToArray();
        // Characters first, most frequent first, so that a full vocabulary still spells the common ones.
        foreach (var symbol in words.SelectMany(w => Symbols(w.Key).Select(s => (Symbol: s, w.Value))).GroupBy(s => s.Symbol, StringComparer.Ordinal)
            .OrderByDescending(g => g.Sum(s => s.Value)).ThenBy(g => g.Key, StringComparer.Ordinal))
            Id(symbol.Key);
        foreach (var (word, count) in words)
        {
            _words.Add(([.. Symbols(word).Select(Id)], count));
            Change(_words.Count - 1, +1);
        }
    }

    private static IEnumerable<string> Symbols(string word)
    {
        for (var at = 0; at < word.Length;)
        {
            var length = char.IsHighSurrogate(word[at]) && at + 1 < word.Length ? 2 : 1;
            yield return at == 0 ? word[..length] : string.Concat("##", word.AsSpan(at, length));
            at += length;
        }
    }

    /// <summary>Makes the most frequent pair (of equally frequent ones the earliest pieces) one piece. False when no pair is frequent enough.</summary>
    private bool Merge()
    {
        while (_best.TryDequeue(out var pair, out var priority))
        {
            var count = _counts.GetValueOrDefault(pair);
            if (count < MinPairCount || count != -priority.Count)
                continue; // a count that is out of date: the current one has an entry of its own
            var merged = Id(_pieces[pair.Left] + _pieces[pair.Right][2..]);
            foreach (var word in _where[pair].Order().ToArray())
            {
                Change(word, -1);
                _words[word] = (Replace(_words[word].Pieces, pair, merged), _words[word].Count);
                Change(word, +1);
            }

            return true;
        }

        return false;
    }

    private static int[] Replace(int[] pieces, (int Left, int Right) pair, int merged)
    {
        var result = new List<int>(pieces.Length);
        for (var i = 0; i < pieces.Length; i++)
        {
            var hit = i + 1 < pieces.Length && pieces[i] == pair.Left && pieces[i + 1] == pair.Right;
            result.Add(hit ? merged : pieces[i]);
            i += hit ? 1 : 0;
        }

        return [.. result];
    }

    private void Change(int word, int sign)
    {
        var (pieces, count) = _words[word];
        for (var i = 0; i + 1 < pieces.Length; i++)
        {
            var pair = (pieces[i], pieces[i + 1]);
            var now = _counts[pair] = _counts.GetValueOrDefault(pair) + (sign * count);
            if (!_where.TryGetValue(pair, out var where))
                _where[pair] = where = [];
            if (sign > 0)
                where.Add(word);
            else
                where.Remove(word);
            if (now >= MinPairCount)
                _best.Enqueue(pair, (-now, pair.Item1, pair.Item2));
        }
    }

    private int Id(string piece)
    {
        if (!_ids.TryGetValue(piece, out var id))
        {
            id = _ids[piece] = _pieces.Count;
            _pieces.Add(piece);
        }

        return id;
    }
}
