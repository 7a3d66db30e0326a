using System.Numerics.Tensors;
using StreamRec.Contracts;
using StreamRec.Model;
using StreamRec.Trainer.Text;

namespace StreamRec.TrainerTests.Text;

public sealed class TextEncoderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("text").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Two kinds of items whose texts share words within a kind only.</summary>
    private static ItemRecord[] Catalogue(int count)
    {
        string[][] themes =
        [
            ["garden", "flower", "seed", "soil", "plant", "spade", "lawn", "rose"],
            ["guitar", "string", "amp", "drum", "song", "bass", "tune", "chord"],
        ];
        var random = new Random(4);
        return [.. Enumerable.Range(0, count).Select(i => new ItemRecord
        {
            ItemId = $"i{i}",
            Title = string.Join(' ', Enumerable.Range(0, 5).Select(_ => themes[i % 2][random.Next(8)])),
            Categories = [i % 2 == 0 ? "outdoor" : "music"],
        })];
    }

    private TextOptions Options(int seed = 1) => new()
    {
        Folder = _folder,
        Pretrain = new PretrainOptions
        {
            Steps = 5, BatchTokens = 256, HiddenSize = 16, Layers = 1, VocabularySize = 100,
            MaxTime = TimeSpan.FromMinutes(5), Seed = seed,
        },
    };

    [Fact]
    public void Pre_training_on_the_catalogue_brings_items_of_one_theme_together()
    {
        var losses = new List<double>();
        var pretrain = new PretrainOptions { Steps = 60, HiddenSize = 32, VocabularySize = 200, MaxTime = TimeSpan.FromMinutes(5) };
        using var encoder = new TextEncoder(Options() with { Pretrain = pretrain });
        var matrix = encoder.EncodeItems(Catalogue(200), new Listener(p => losses.Add(p.Loss)), TestContext.Current.CancellationToken);
        Assert.True(losses.Where(l => !double.IsNaN(l)).Last() < losses[0], "the masked language model learns");
        Assert.Equal((200, 32), (matrix.Rows, matrix.Dimension));
        var own = 0;
        for (var i = 0; i < matrix.Rows; i++)
        {
            Assert.Equal(1, TensorPrimitives.Norm(matrix.Row(i)), 1e-4f);
            var nearest = Enumerable.Range(0, matrix.Rows)
                .Where(j => j != i)
                .OrderByDescending(j => TensorPrimitives.Dot(matrix.Row(i), matrix.Row(j)))
                .Take(10);
            own += nearest.Count(j => j % 2 == i % 2);
        }

        Assert.True(own > 1_800, $"{own} of 2,000 nearest neighbours are of the item's own theme");
    }

    [Fact]
    public void The_same_seed_gives_the_same_encoder_and_another_gives_another()
    {
        string Digest(string folder, int seed)
        {
            using var encoder = new TextEncoder(Options(seed) with { Folder = Path.Combine(_folder, folder) });
            return encoder.EncodeItems(Catalogue(60), ct: TestContext.Current.CancellationToken).EncoderDigest;
        }

        var first = Digest("a", 1);
        Assert.Equal(first, Digest("b", 1));
        Assert.NotEqual(first, Digest("c", 2));
    }

    [Fact]
    public void A_second_run_reads_encoder_and_vectors_from_the_folder()
    {
        var items = Catalogue(60);
        var ct = TestContext.Current.CancellationToken;
        TextMatrix first, second;
        using (var encoder = new TextEncoder(Options()))
            first = encoder.EncodeItems(items, ct: ct);
        var stages = new List<string>();
        using (var encoder = new TextEncoder(Options()))
            second = encoder.EncodeItems([.. items.Reverse()], new Listener(p => stages.Add(p.Stage)), ct);
        Assert.Empty(stages);
        Assert.Equal(first.EncoderDigest, second.EncoderDigest);
        for (var i = 0; i < items.Length; i++)
            Assert.Equal(first.Row(i).ToArray(), second.Row(items.Length - 1 - i).ToArray());
        using var grown = new TextEncoder(Options());
        Assert.NotEqual(first.EncoderDigest, grown.EncodeItems(Catalogue(120), ct: ct).EncoderDigest);
    }

    [Fact]
    public void An_item_without_text_has_a_zero_row()
    {
        using var encoder = new TextEncoder(Options());
        var ct = TestContext.Current.CancellationToken;
        var matrix = encoder.EncodeItems([.. Catalogue(20), new ItemRecord { ItemId = "bare", Title = "  " }], ct: ct);
        Assert.All(matrix.Row(20).ToArray(), value => Assert.Equal(0f, value));
        using var nothing = new TextEncoder(Options() with { Folder = Path.Combine(_folder, "none") });
        Assert.All(nothing.EncodeItems([new ItemRecord { ItemId = "bare" }], ct: ct).Values, value => Assert.Equal(0f, value));
    }

    [Fact]
    public void Missing_weights_are_named_with_their_setting()
    {
        using var encoder = new TextEncoder(Options() with { Weights = Path.Combine(_folder, "nowhere") });
        var message = Assert.Throws<FileNotFoundException>(() => encoder.EncodeItems(Catalogue(2), ct: TestContext.Current.CancellationToken)).Message;
        Assert.Contains("text.weights", message, StringComparison.Ordinal);
        Assert.Contains("nowhere", message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_cache_computes_each_text_once_and_survives_a_torn_tail()
    {
        var cache = new TextVectorCache(_folder, "0123456789abcdef0123", 3);
        var computed = new List<string>();
        float[][] Compute(IReadOnlyList<string> texts)
        {
            computed.AddRange(texts);
            return [.. texts.Select(t => new float[] { t.Length, t[0], 1f })];
        }

        cache.GetOrAdd(["one", "three", "one"], Compute);
        Assert.Equal(["one", "three"], computed);
        using (var file = File.Open(cache.FilePath, FileMode.Append))
            file.Write([1, 2, 3, 4, 5]); // a kill in the middle of a record
        var vectors = cache.GetOrAdd(["three", "seven!", "one"], Compute);
        Assert.Equal(["one", "three", "seven!"], computed);
        Assert.Equal([5f, 't', 1f], vectors[0]);
        Assert.Equal([6f, 's', 1f], vectors[1]);
        Assert.Equal(vectors[1], cache.GetOrAdd(["seven!"], Compute)[0]);
        Assert.Equal(3, computed.Count);
    }

    [Fact]
    public async Task Two_processes_may_encode_beside_each_other_and_each_text_is_kept_once()
    {
        using var encoding = new ManualResetEventSlim();
        using var other = new ManualResetEventSlim();
        var ct = TestContext.Current.CancellationToken;
        static float[][] Encode(IReadOnlyList<string> texts) => [.. texts.Select(t => new float[] { t.Length, t[0] })];
        var first = Task.Run(() => new TextVectorCache(_folder, "shared", 2).GetOrAdd(["a", "bb"], texts =>
        {
            encoding.Set();
            other.Wait(ct);
            return Encode(texts);
        }), ct);
        encoding.Wait(ct);
        var second = new TextVectorCache(_folder, "shared", 2);
        Assert.Equal([[2, 'b'], [3, 'c']], second.GetOrAdd(["bb", "ccc"], Encode));
        other.Set();
        Assert.Equal([[1, 'a'], [2, 'b']], await first);
        Assert.Equal([[1, 'a'], [2, 'b'], [3, 'c']], second.GetOrAdd(["a", "bb", "ccc"], _ => throw new InvalidOperationException("all are there")));
        Assert.Equal(3 * (16 + 8), new FileInfo(second.FilePath).Length);
    }

    [Fact]
    public void A_cache_at_its_bound_keeps_what_is_in_use()
    {
        var cache = new TextVectorCache(_folder, "0123456789abcdef", 1, maxBytes: 200);
        for (var i = 0; i < 100; i++)
        {
            cache.GetOrAdd([$"text {i}"], texts => [.. texts.Select(_ => new float[] { 1 })]);
            Assert.InRange(new FileInfo(cache.FilePath).Length, 20, 200);
        }
    }

    [Fact]
    public void A_cache_of_float16_gives_the_same_rounded_vectors_computed_or_read_in_half_the_room()
    {
        var (whole, half) = (new TextVectorCache(_folder, "0123456789abcdef", 64), new TextVectorCache(_folder, "0123456789abcdef", 64, half: true));
        float[][] Compute(IReadOnlyList<string> texts) => [.. texts.Select(t => Enumerable.Range(0, 64).Select(i => 1f / (i + t.Length)).ToArray())];
        var (exact, computed) = (whole.GetOrAdd(["one", "three"], Compute), half.GetOrAdd(["one", "three"], Compute));
        var read = half.GetOrAdd(["one", "three"], _ => throw new InvalidOperationException("both are known"));
        Assert.Equal(computed, read);
        Assert.All(exact.SelectMany(v => v).Zip(read.SelectMany(v => v)), pair => Assert.Equal(pair.First, pair.Second, pair.First * 0.0005f));
        Assert.Equal((16 + 256) * 2, new FileInfo(whole.FilePath).Length);
        Assert.Equal((16 + 128) * 2, new FileInfo(half.FilePath).Length);
    }

    [Fact]
    public void Principal_components_keep_the_distances_of_vectors_that_lie_in_few_directions()
    {
        var random = new Random(3);
        var basis = Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, 32).Select(_ => (float)random.NextDouble() - 0.5f).ToArray()).ToArray();
        var rows = Enumerable.Range(0, 200).Select(_ =>
        {
            var row = new float[32];
            foreach (var direction in basis)
                TensorPrimitives.MultiplyAdd(direction, (float)random.NextDouble() - 0.5f, row, row);
            return row;
        }).ToArray();
        var components = PrincipalComponents.Fit(rows, 4);
        Assert.Equal(1, components.Explained, 1e-6);
        var mean = Enumerable.Range(0, 32).Select(i => rows.Average(r => r[i])).ToArray();
        float Cosine(float[] a, float[] b) => TensorPrimitives.CosineSimilarity(a.Zip(mean, (x, m) => x - m).ToArray(), b.Zip(mean, (x, m) => x - m).ToArray());
        for (var i = 1; i < rows.Length; i++)
            Assert.Equal(Cosine(rows[0], rows[i]), TensorPrimitives.Dot<float>(components.Project(rows[0]), components.Project(rows[i])), 1e-4f);
        var path = Path.Combine(_folder, "pca.safetensors");
        components.Save(path);
        Assert.Equal(components.Project(rows[7]), PrincipalComponents.Load(path).Project(rows[7]));
    }

    [Fact]
    public void Components_are_learned_once_and_narrow_every_vector_after_that()
    {
        var options = Options() with { Components = 6, Half = true };
        var ct = TestContext.Current.CancellationToken;
        TextMatrix first, second;
        using (var encoder = new TextEncoder(options))
            first = encoder.EncodeItems(Catalogue(60), ct: ct);
        using (var encoder = new TextEncoder(options))
            second = encoder.EncodeItems([.. Catalogue(60).Take(5)], ct: ct);
        Assert.Equal((60, 6), (first.Rows, first.Dimension));
        Assert.Equal(first.Values[..30], second.Values);
        Assert.All(Enumerable.Range(0, 60), i => Assert.Equal(1, TensorPrimitives.Norm(first.Row(i)), 2e-3f));
        using var wide = new TextEncoder(options with { Components = 17 });
        Assert.Contains("text.components", Assert.Throws<ArgumentException>(() => wide.EncodeItems(Catalogue(60), ct: ct)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tuning_with_adapters_learns_and_moves_only_query_and_value_of_the_unfrozen_layers()
    {
        var ct = TestContext.Current.CancellationToken;
        var texts = Catalogue(80).Select(TextEncoder.TextOf).ToArray();
        var from = TextEncoder.Pretrain(
            texts, Options() with { Pretrain = Options().Pretrain with { Layers = 2, Steps = 20 } },
            Path.Combine(_folder, "from"),
            ct: ct);
        var losses = new List<double>();
        var tuned = Path.Combine(_folder, "tuned");
        TextTuner.Run(
            texts,
            from,
            new TuneOptions { Steps = 30, LearningRate = 0.02, Lora = new LoraOptions { Rank = 2 }, FrozenLayers = 1 },
            tuned,
            new Listener(p => losses.Add(p.Loss)),
            ct);
        Assert.True(losses.TakeLast(5).Average() < losses.Take(5).Average() - 0.1, $"loss {losses.Take(5).Average()} to {losses.TakeLast(5).Average()}");
        using (var encoder = SentenceEncoder.Open(tuned))
            Assert.Equal(1, TensorPrimitives.Norm<float>(encoder.Encode([texts[0]], ct: ct)[0]), 1e-4f);
        using var before = SafeTensors.Open(Path.Combine(from, "model.safetensors"));
        using var after = SafeTensors.Open(Path.Combine(tuned, "model.safetensors"));
        var moved = before.Tensors.Keys.Where(name => !before.ReadFloat32(name).SequenceEqual(after.ReadFloat32(name))).Order();
        Assert.Equal(["encoder.layer.1.attention.self.query.weight", "encoder.layer.1.attention.self.value.weight"], moved);
        using var adapter = SafeTensors.Open(Path.Combine(tuned, "lora_adapter.safetensors"));
        Assert.Equal(8, adapter.Tensors.Count);
    }

    [Fact]
    public void A_learned_vocabulary_spells_every_word_and_merges_the_frequent_ones()
    {
        string[] texts = ["red rose garden", "red garden spade", "Red wine", "red red tea", "naïve café"];
        var ct = TestContext.Current.CancellationToken;
        var vocabulary = WordPieceTrainer.Train(texts, 400, ct: ct);
        var tokenizer = new WordPieceTokenizer(vocabulary);
        Assert.All(texts, text => Assert.DoesNotContain(vocabulary.Unknown, tokenizer.Encode(text)));
        Assert.NotNull(vocabulary.IdOf("red"));
        Assert.NotNull(vocabulary.IdOf("garden"));
        Assert.Equal(vocabulary.Pieces, WordPieceTrainer.Train(texts, 400, ct: ct).Pieces);
        Assert.Equal(20, WordPieceTrainer.Train(texts, 20, ct: ct).Count);
    }

    private sealed class Listener(Action<TextProgress> action) : IProgress<TextProgress>
    {
        public void Report(TextProgress value) => action(value);
    }
}
