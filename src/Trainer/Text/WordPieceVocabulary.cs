using System.Security.Cryptography;
using System.Text;

namespace StreamRec.Trainer.Text;

/// <summary>
/// The pieces of a WordPiece model and a trie over them. Ids are line numbers of vocab.txt; the special ones are looked up by name, never assumed.
/// Immutable, thread-safe. About 60 bytes per character of vocabulary.
/// </summary>
public sealed class WordPieceVocabulary
{
    public const string PadToken = "[PAD]";
    public const string UnknownToken = "[UNK]";
    public const string StartToken = "[CLS]";
    public const string EndToken = "[SEP]";
    public const string MaskToken = "[MASK]";
    private readonly Dictionary<ulong, int> _children = [];
    private readonly List<int> _ids = [-1];
    private readonly Dictionary<string, int> _index;

    /// <param name="pieces">In id order; of doubled pieces the last counts, as in the reference.</param>
    /// <exception cref="InvalidDataException">[UNK], [CLS], [SEP] or [PAD] is missing.</exception>
    public WordPieceVocabulary(IReadOnlyList<string> pieces)
    {
        Pieces = pieces;
        _index = new Dictionary<string, int>(pieces.Count, StringComparer.Ordinal);
        for (var id = 0; id < pieces.Count; id++)
        {
            _index[pieces[id]] = id;
            Insert(pieces[id], id);
        }

        (Pad, Unknown, Start, End) = (Required(PadToken), Required(UnknownToken), Required(StartToken), Required(EndToken));
        Mask = _index.GetValueOrDefault(MaskToken, -1);
        Specials = [.. new[] { PadToken, UnknownToken, StartToken, EndToken, MaskToken }.Where(_index.ContainsKey).Select(t => (t, _index[t]))];
        var hashes = Child(0, '#');
        Continuation = hashes < 0 ? -1 : Child(hashes, '#');
    }

    public IReadOnlyList<string> Pieces { get; }

    public int Count => Pieces.Count;
    public int Pad { get; }
    public int Unknown { get; }
    public int Start { get; }
    public int End { get; }

    /// <summary>-1 where the vocabulary has no [MASK].</summary>
    public int Mask { get; }

    internal (string Token, int Id)[] Specials { get; }

    /// <summary>The trie node of "##", under which the pieces lie that continue a word; -1 if there are none.</summary>
    internal int Continuation { get; }

    public static WordPieceVocabulary Load(string path) => new(File.ReadAllLines(path, Encoding.UTF8));

    /// <summary>Writes vocab.txt.</summary>
    public void Save(string path) => File.WriteAllText(path, string.Join('\n', Pieces) + "\n", new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));

    public int? IdOf(string piece) => _index.TryGetValue(piece, out var id) ? id : null;

    /// <summary>SHA-256 over the pieces, hex.</summary>
    public string Digest() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', Pieces))));

    /// <summary>The longest piece that starts <paramref name="text"/> below <paramref name="node"/> (0 = start of a word): its id and length, or -1.</summary>
    internal int LongestMatch(int node, ReadOnlySpan<char> text, out int length)
    {
        var id = -1;
        length = 0;
        for (var i = 0; i < text.Length; i++)
        {
            node = Child(node, text[i]);
            if (node < 0)
                break;
            if (_ids[node] is >= 0 and var found)
                (id, length) = (found, i + 1);
        }

        return id;
    }

    private int Child(int node, char c) => _children.TryGetValue(((ulong)node << 16) | c, out var child) ? child : -1;

    private void Insert(string piece, int id)
    {
        var node = 0;
        foreach (var c in piece)
        {
            var child = Child(node, c);
            if (child < 0)
            {
                child = _ids.Count;
                _ids.Add(-1);
                _children.Add(((ulong)node << 16) | c, child);
            }

            node = child;
        }

        if (node != 0)
            _ids[node] = id;
    }

    private int Required(string token) => _index.TryGetValue(token, out var id)
        ? id
        : throw new InvalidDataException($"the vocabulary of {Pieces.Count} pieces has no {token}");
}
