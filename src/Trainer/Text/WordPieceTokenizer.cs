using System.Text;

namespace StreamRec.Trainer.Text;

/// <summary>
/// BERT's tokenizer: special tokens found in the raw text, basic tokenization (<see cref="TextFolding"/>), then greedy longest-match-first pieces
/// (Wu et al. 2016; Devlin et al. 2018). Gives the ids of Hugging Face's BertTokenizerFast. Immutable and thread-safe; about 60 ns per word piece
/// for words in the vocabulary. No allocation beyond the caller's list.
/// </summary>
public sealed class WordPieceTokenizer
{
    /// <summary>Words of more code points become one [UNK], as in the reference.</summary>
    public const int MaxWordCodePoints = 100;

    private const int MaxWordChars = 2 * MaxWordCodePoints;
    private readonly TextFolding _folding;

    /// <param name="vocabulary">The pieces.</param>
    /// <param name="lowerCase">do_lower_case of the model: fold case and strip accents. True for the uncased models.</param>
    public WordPieceTokenizer(WordPieceVocabulary vocabulary, bool lowerCase = true)
    {
        (Vocabulary, LowerCase) = (vocabulary, lowerCase);
        _folding = TextFolding.For(lowerCase);
    }

    public WordPieceVocabulary Vocabulary { get; }

    public bool LowerCase { get; }

    /// <summary>[CLS] pieces [SEP], cut to <paramref name="maxLength"/> by dropping pieces from the end.</summary>
    public int[] Encode(string text, int maxLength = int.MaxValue)
    {
        var ids = new List<int>(text.Length / 3 + 8) { Vocabulary.Start };
        Append(text, ids, maxLength - 1);
        if (ids.Count > maxLength - 1)
            ids.RemoveRange(maxLength - 1, ids.Count - maxLength + 1);
        ids.Add(Vocabulary.End);
        return [.. ids];
    }

    /// <summary>
    /// [CLS] first [SEP] second [SEP]; too long a pair loses pieces from the end of the longer text until both are equal, then of both; an odd
    /// place goes to the text that was longer (the second if they were equal), as in the reference's longest_first.
    /// </summary>
    /// <returns>The ids and how many of them belong to the first text (token type 0).</returns>
    public (int[] Ids, int First) EncodePair(string first, string second, int maxLength = int.MaxValue)
    {
        var (a, b) = (new List<int>(), new List<int>());
        Append(first, a);
        Append(second, b);
        var (shorter, longer) = a.Count > b.Count ? (b, a) : (a, b);
        while (a.Count + b.Count + 3 > maxLength)
        {
            var cut = longer.Count > shorter.Count ? longer : shorter;
            cut.RemoveAt(cut.Count - 1);
        }

        return ([Vocabulary.Start, .. a, Vocabulary.End, .. b, Vocabulary.End], a.Count + 2);
    }

    /// <summary>Appends the pieces of a text, without [CLS] and [SEP]; stops soon after <paramref name="atMost"/> ids are in the list.</summary>
    public void Append(ReadOnlySpan<char> text, List<int> ids, int atMost = int.MaxValue)
    {
        while (!text.IsEmpty && ids.Count < atMost)
        {
            var (at, length, special) = NextSpecial(text);
            Plain(text[..at], ids, atMost);
            if (special >= 0)
                ids.Add(special);
            text = text[(at + length)..];
        }
    }

    /// <summary>The basic tokens of a text, folded: what a vocabulary is learned from.</summary>
    public static void Words(ReadOnlySpan<char> text, bool lowerCase, Action<ReadOnlySpan<char>> word)
    {
        var splitter = new Splitter(TextFolding.For(lowerCase), text, stackalloc char[MaxWordChars]);
        while (splitter.Next())
        {
            if (!splitter.TooLong)
                word(splitter.Word);
        }
    }

    private (int At, int Length, int Id) NextSpecial(ReadOnlySpan<char> text)
    {
        for (var from = 0; text[from..].IndexOf('[') is >= 0 and var bracket; from += bracket + 1)
        {
            foreach (var (token, id) in Vocabulary.Specials)
            {
                if (text[(from + bracket)..].StartsWith(token, StringComparison.Ordinal))
                    return (from + bracket, token.Length, id);
            }
        }

        return (text.Length, 0, -1);
    }

    private void Plain(ReadOnlySpan<char> text, List<int> ids, int atMost)
    {
        var splitter = new Splitter(_folding, text, stackalloc char[MaxWordChars]);
        while (ids.Count < atMost && splitter.Next())
        {
            if (splitter.TooLong)
                ids.Add(Vocabulary.Unknown);
            else
                Pieces(splitter.Word, ids);
        }
    }

    private void Pieces(ReadOnlySpan<char> word, List<int> ids)
    {
        var (before, node) = (ids.Count, 0);
        for (var at = 0; at < word.Length;)
        {
            var length = 0;
            var id = node < 0 ? -1 : Vocabulary.LongestMatch(node, word[at..], out length);
            if (id < 0)
            {
                ids.RemoveRange(before, ids.Count - before); // no way to spell it: the whole word is unknown
                ids.Add(Vocabulary.Unknown);
                return;
            }

            ids.Add(id);
            at += length;
            node = Vocabulary.Continuation;
        }
    }

    /// <summary>Cuts a text into folded words, one at a time, in a buffer of the caller.</summary>
    private ref struct Splitter(TextFolding folding, ReadOnlySpan<char> text, Span<char> buffer)
    {
        private readonly ReadOnlySpan<char> _text = text;
        private readonly Span<char> _buffer = buffer;
        private int _at;
        private int _length;
        private int _codePoints;
        private string? _pending; // rest of a character that folded to several
        private int _pendingAt;

        public readonly ReadOnlySpan<char> Word => _buffer[.._length];

        public readonly bool TooLong => _codePoints > MaxWordCodePoints;

        public bool Next()
        {
            (_length, _codePoints) = (0, 0);
            while (_pending is not null || _at < _text.Length)
            {
                if (_pending is not null)
                {
                    if (TakePending())
                        return true;
                    continue;
                }

                var kind = folding.Classify(_text[_at], out var folded);
                if (kind == CharKind.Word)
                {
                    if (++_codePoints <= MaxWordCodePoints)
                        _buffer[_length++] = folded;
                    _at++;
                }
                else if (kind == CharKind.Removed)
                {
                    _at++;
                }
                else if (kind == CharKind.Slow)
                {
                    if (StartSlow())
                        return true;
                }
                else if (_codePoints > 0)
                {
                    if (kind == CharKind.Space)
                        _at++;
                    return true; // a single comes next time
                }
                else
                {
                    _at++;
                    if (kind == CharKind.Single)
                    {
                        (_buffer[0], _length, _codePoints) = (folded, 1, 1);
                        return true;
                    }
                }
            }

            return _codePoints > 0;
        }

        /// <summary>A character outside the table. True when it is a word of its own and one is open before it, which must be given first.</summary>
        private bool StartSlow()
        {
            // A lone surrogate decodes to U+FFFD, which vanishes.
            Rune.DecodeFromUtf16(_text[_at..], out var rune, out var consumed);
            if (TextFolding.IsCjk(rune) && _codePoints > 0)
                return true;
            _at += consumed;
            var folded = folding.FoldSlowly(rune);
            if (folded.Length == 0)
                return false;
            (_pending, _pendingAt) = (folded, 0);
            if (!TextFolding.IsCjk(rune))
                return false;
            folded.CopyTo(_buffer);
            (_length, _codePoints, _pending) = (folded.Length, 1, null);
            return true;
        }

        /// <summary>Goes through a character's folded form. True when a word is complete.</summary>
        private bool TakePending()
        {
            Rune.DecodeFromUtf16(_pending.AsSpan(_pendingAt), out var rune, out var consumed);
            if (TextFolding.IsSpace(rune) || TextFolding.IsPunctuation(rune))
            {
                if (_codePoints > 0)
                    return true;
                Move(consumed);
                if (TextFolding.IsSpace(rune))
                    return false;
                (_length, _codePoints) = (rune.EncodeToUtf16(_buffer), 1);
                return true;
            }

            if (++_codePoints <= MaxWordCodePoints)
                _length += rune.EncodeToUtf16(_buffer[_length..]);
            Move(consumed);
            return false;
        }

        private void Move(int consumed)
        {
            _pendingAt += consumed;
            if (_pendingAt == _pending!.Length)
                _pending = null;
        }
    }
}
