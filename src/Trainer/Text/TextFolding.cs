using System.Globalization;
using System.Text;

namespace StreamRec.Trainer.Text;

/// <summary>What the BERT pre-tokenizer does with a character after folding.</summary>
internal enum CharKind : byte
{
    Unknown,

    /// <summary>Part of a word.</summary>
    Word,

    /// <summary>Vanishes: control and format characters, private use, NUL, U+FFFD, and accents where they are stripped.</summary>
    Removed,
    Space,

    /// <summary>A word of its own: punctuation and CJK ideographs.</summary>
    Single,

    /// <summary>Folds to several UTF-16 units (Hangul, most astral characters): see <see cref="TextFolding.FoldSlowly"/>.</summary>
    Slow,
}

/// <summary>
/// The character rules of BERT's basic tokenizer as Hugging Face's tokenizers library applies them: clean, pad CJK, then per character NFD, drop
/// nonspacing marks, lower-case. Classes come from .NET's Unicode tables, so characters added to Unicode after that library's tables may differ.
/// Needs ICU: with InvariantGlobalization string.Normalize would not decompose. Tables are filled on first use of a character; thread-safe, as
/// every thread would write the same values.
/// </summary>
internal sealed class TextFolding
{
    private static readonly TextFolding Lower = new(lowerCase: true);
    private static readonly TextFolding Cased = new(lowerCase: false);
    private readonly bool _lowerCase;
    private readonly char[] _folded = new char[char.MaxValue + 1];
    private readonly CharKind[] _kinds = new CharKind[char.MaxValue + 1];

    private TextFolding(bool lowerCase) => _lowerCase = lowerCase;

    public static TextFolding For(bool lowerCase) => lowerCase ? Lower : Cased;

    /// <summary>The kind and the folded form of one UTF-16 unit; surrogates are <see cref="CharKind.Slow"/>.</summary>
    public CharKind Classify(char c, out char folded)
    {
        var kind = _kinds[c];
        if (kind == CharKind.Unknown)
            kind = Learn(c);
        folded = _folded[c];
        return kind;
    }

    /// <summary>The folded runes of a character, empty if it vanishes; accents are dropped and letters lower-cased when this folding does so.</summary>
    public string FoldSlowly(Rune rune)
    {
        if (IsRemoved(rune))
            return "";
        if (!_lowerCase || rune.Value == 0xFFFE) // a noncharacter string.Normalize refuses
            return rune.ToString();
        var folded = new StringBuilder(4);
        foreach (var part in rune.ToString().Normalize(NormalizationForm.FormD).EnumerateRunes())
        {
            if (Rune.GetUnicodeCategory(part) != UnicodeCategory.NonSpacingMark)
                folded.Append(Rune.ToLowerInvariant(part).ToString());
        }

        return folded.ToString();
    }

    public static bool IsSpace(Rune rune) => rune.Value is '\t' or '\n' or '\r' || Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    public static bool IsPunctuation(Rune rune)
        => rune.Value is (>= 33 and <= 47) or (>= 58 and <= 64) or (>= 91 and <= 96) or (>= 123 and <= 126)
        || Rune.GetUnicodeCategory(rune) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    /// <summary>CJK ideographs. The library's table leaves out U+2B820..U+2B91F; equal ids matter more than a complete block.</summary>
    public static bool IsCjk(Rune rune) => rune.Value is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0xF900 and <= 0xFAFF)
        or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF)
        or (>= 0x2F800 and <= 0x2FA1F);

    private static bool IsRemoved(Rune rune)
    {
        if (rune.Value is '\t' or '\n' or '\r')
            return false;
        return rune.Value is 0 or 0xFFFD
            || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse;
    }

    private CharKind Learn(char c)
    {
        if (char.IsSurrogate(c))
            return _kinds[c] = CharKind.Slow;
        var rune = new Rune(c);
        var folded = IsSpace(rune) ? " " : FoldSlowly(rune);
        var kind = folded.Length switch
        {
            0 => CharKind.Removed,
            1 when folded[0] == ' ' => CharKind.Space,
            1 when char.IsSurrogate(folded[0]) => CharKind.Slow,
            1 when IsCjk(rune) || IsPunctuation(new Rune(folded[0])) => CharKind.Single,
            1 => CharKind.Word,
            _ => CharKind.Slow,
        };
        _folded[c] = folded.Length == 1 ? folded[0] : '\0';
        Volatile.Write(ref System.Runtime.CompilerServices.Unsafe.As<CharKind, byte>(ref _kinds[c]), (byte)kind); // after the folded form
        return kind;
    }
}
