using System.Text.Json;
using StreamRec.Trainer.Text;

namespace StreamRec.TrainerTests.Text;

public class WordPieceTokenizerTests
{
    private static readonly WordPieceVocabulary Tiny = new(
    [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "a", "##b", "##ble", "cafe", "hello", "world", ",", "!", "中", "文",
        "strasse", "straße", "i", "σ", "##σ", "##ς", "ᄒ", "##ᅡ", "##ᆫ", "x",
    ]);

    public static TheoryData<string, string[]> Cases => new()
    {
        { "unaffable", ["un", "##aff", "##able"] },
        { "Hello, WORLD!", ["hello", ",", "world", "!"] },
        { "hello中文world", ["hello", "中", "文", "world"] },
        { "Café CAFE\u0301", ["cafe", "cafe"] },
        { "aq unq", ["[UNK]", "[UNK]"] },
        { "hello[MASK]world [mask]", ["hello", "[MASK]", "world", "[UNK]", "[UNK]", "[UNK]"] },
        { "a\u200Bb a\0b", ["a", "##b", "a", "##b"] },
        { "a\tb\u00A0a\u2028x\r\nx", ["a", "[UNK]", "a", "x", "x"] },
        { "\u0130 \u03A3\u03C2", ["i", "σ", "##ς"] },
        { "한", ["ᄒ", "##ᅡ", "##ᆫ"] },
        { "Straße", ["straße"] },
        { "x\uD800x", ["[UNK]"] },
        { "x\uD83D\uDE00", ["[UNK]"] },
        { "", [] },
        { " \n ", [] },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Text_becomes_the_pieces_the_rules_give(string text, string[] pieces)
    {
        var ids = new List<int>();
        new WordPieceTokenizer(Tiny).Append(text, ids);
        Assert.Equal(pieces, ids.Select(id => Tiny.Pieces[id]));
    }

    [Fact]
    public void A_word_of_100_code_points_is_spelled_and_one_of_101_is_unknown()
    {
        var tokenizer = new WordPieceTokenizer(Tiny);
        var spelled = tokenizer.Encode("a" + new string('b', 99));
        Assert.Equal(102, spelled.Length);
        Assert.DoesNotContain(Tiny.Unknown, spelled);
        Assert.Equal([Tiny.Start, Tiny.Unknown, Tiny.End], tokenizer.Encode("a" + new string('b', 100)));
        // Astral characters are one code point each, two UTF-16 units.
        Assert.Equal([Tiny.Start, Tiny.Unknown, Tiny.End], tokenizer.Encode(string.Concat(Enumerable.Repeat("\U0001F600", 300))));
    }

    [Fact]
    public void Truncation_keeps_the_end_token_and_pairs_lose_the_longer_text_first()
    {
        var tokenizer = new WordPieceTokenizer(Tiny);
        Assert.Equal([Tiny.Start, 12, 13, Tiny.End], tokenizer.Encode("hello world hello world", 4));
        var (ids, first) = tokenizer.EncodePair("hello hello hello hello", "world", 6);
        Assert.Equal([Tiny.Start, 12, 12, Tiny.End, 13, Tiny.End], ids);
        Assert.Equal(4, first);
    }

    [Fact]
    public void A_vocabulary_without_a_special_token_is_refused_by_name()
        => Assert.Contains(
            "[SEP]",
            Assert.Throws<InvalidDataException>(() => new WordPieceVocabulary(["[PAD]", "[UNK]", "[CLS]", "a"])).Message,
            StringComparison.Ordinal);

    [Fact]
    public void A_saved_vocabulary_loads_the_same()
    {
        var path = Path.GetTempFileName();
        Tiny.Save(path);
        var loaded = WordPieceVocabulary.Load(path);
        File.Delete(path);
        Assert.Equal(Tiny.Pieces, loaded.Pieces);
        Assert.Equal(Tiny.Digest(), loaded.Digest());
    }

    [Fact]
    public void All_reference_cases_give_the_reference_ids()
    {
        var folder = SharedFiles.OrSkip("golden/wordpiece");
        var vocabulary = WordPieceVocabulary.Load(Path.Combine(folder, "vocab.txt"));
        var (lower, cased) = (new WordPieceTokenizer(vocabulary), new WordPieceTokenizer(vocabulary, lowerCase: false));
        var wrong = new List<string>();
        var count = 0;
        foreach (var line in File.ReadLines(Path.Combine(folder, "cases.jsonl")))
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            var text = root.GetProperty("text").GetString()!;
            count++;
            if (!Ids(root, "ids").SequenceEqual(lower.Encode(text)))
                wrong.Add($"case {root.GetProperty("i")} uncased: expected {string.Join(' ', Ids(root, "ids"))}, got {string.Join(' ', lower.Encode(text))}");
            if (!Ids(root, "ids_cased").SequenceEqual(cased.Encode(text)))
                wrong.Add($"case {root.GetProperty("i")} cased");
            foreach (var length in new[] { 128, 256 })
            {
                if (root.TryGetProperty($"ids_{length}", out _) && !Ids(root, $"ids_{length}").SequenceEqual(lower.Encode(text, length)))
                    wrong.Add($"case {root.GetProperty("i")} cut to {length}");
            }
        }

        Assert.Equal(440, count);
        Assert.Empty(wrong);
    }

    [Fact]
    public void Reference_pairs_give_the_reference_ids_and_token_types()
    {
        var folder = SharedFiles.OrSkip("golden/wordpiece");
        var tokenizer = new WordPieceTokenizer(WordPieceVocabulary.Load(Path.Combine(folder, "vocab.txt")));
        foreach (var line in File.ReadLines(Path.Combine(folder, "pairs.jsonl")))
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            foreach (var (suffix, length) in new[] { ("", int.MaxValue), ("_128", 128) })
            {
                var (ids, first) = tokenizer.EncodePair(root.GetProperty("text").GetString()!, root.GetProperty("text_pair").GetString()!, length);
                Assert.Equal(Ids(root, "ids" + suffix), ids);
                Assert.Equal(Ids(root, "token_type_ids" + suffix), ids.Select((_, i) => i < first ? 0 : 1));
            }
        }
    }

    [Fact]
    public void Any_string_of_utf16_units_is_tokenized_without_an_error()
    {
        var tokenizer = new WordPieceTokenizer(Tiny);
        var random = new Random(1);
        for (var round = 0; round < 2_000; round++)
        {
            var units = new char[random.Next(60)];
            for (var i = 0; i < units.Length; i++)
                units[i] = (char)(random.Next(3) == 0 ? random.Next(0xD700, 0xE000) : random.Next(0x10000));
            Assert.All(tokenizer.Encode(new string(units)), id => Assert.InRange(id, 0, Tiny.Count - 1));
        }
    }

    private static int[] Ids(JsonElement root, string name) => [.. root.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];
}
