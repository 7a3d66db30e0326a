using System.Text.Json;
using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Text;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace StreamRec.TrainerTests.Text;

public class BertEncoderTests
{
    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    public void Forward_and_all_gradients_equal_the_reference_model(ScalarType dtype)
    {
        using var reference = new ReferenceFile("bert/outputs.safetensors");
        using var gradients = new ReferenceFile("bert/gradients.safetensors");
        using var scope = NewDisposeScope();
        var encoder = Load(SharedFiles.OrSkip("golden/bert"), dtype);
        var mask = reference.Tensor("in.attention_mask", dtype);
        var embedded = encoder.Embed(reference.Tensor("in.input_ids", dtype), reference.Tensor("in.token_type_ids", dtype));
        var layers = encoder.Layers(embedded, mask);
        var pooled = BertEncoder.Pool(layers[^1], mask, Pooling.Mean);
        var (sentence, pooler) = (BertEncoder.Normalize(pooled), encoder.Pooler(layers[^1]));
        reference.AssertClose("out.embedding_output_rows0_1", embedded.narrow(0, 0, 2));
        reference.AssertClose("out.layer0_output_rows0_1", layers[0].narrow(0, 0, 2));
        reference.AssertClose("out.last_hidden_state", layers[^1]);
        reference.AssertClose("out.mean_pooled", pooled);
        reference.AssertClose("out.pooler_output", pooler);
        reference.AssertClose("out.sentence_embedding", sentence);
        var loss = sentence.mul(reference.Tensor("in.R1", dtype)).sum().add(pooler.mul(reference.Tensor("in.R2", dtype)).sum());
        reference.AssertClose("out.loss", loss);
        loss.backward();
        var seen = 0;
        foreach (var (name, parameter) in encoder.NamedWeights())
        {
            gradients.AssertClose("grad." + name, parameter.Gradient()!);
            if (dtype == ScalarType.Float64 && gradients.Names.Contains("grad64." + name))
                gradients.AssertClose("grad64." + name, parameter.Gradient()!);
            seen++;
        }

        Assert.Equal(39, seen);
    }

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    public void Sentence_pairs_with_token_types_equal_the_reference(ScalarType dtype)
    {
        using var reference = new ReferenceFile("bert/outputs_pairs.safetensors");
        using var scope = NewDisposeScope();
        using var grad = no_grad();
        var encoder = Load(SharedFiles.OrSkip("golden/bert"), dtype);
        var mask = reference.Tensor("in.attention_mask", dtype);
        var hidden = encoder.Layers(encoder.Embed(reference.Tensor("in.input_ids", dtype), reference.Tensor("in.token_type_ids", dtype)), mask)[^1];
        reference.AssertClose("out.last_hidden_state", hidden);
        reference.AssertClose("out.sentence_embedding", BertEncoder.Normalize(BertEncoder.Pool(hidden, mask, Pooling.Mean)));
    }

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    public void A_trained_encoder_equals_its_reference_from_the_embeddings_on(ScalarType dtype)
    {
        using var reference = new ReferenceFile("bert-tiny-encoder/reference.safetensors");
        using var weights = SafeTensors.Open(SharedFiles.OrSkip("golden/bert-tiny-encoder/encoder.safetensors"));
        using var scope = NewDisposeScope();
        var encoder = new BertEncoder(BertConfig.Load(SharedFiles.OrSkip("golden/bert-tiny-encoder/config.json")));
        encoder.Load(weights, embeddings: false);
        encoder.to(dtype);
        encoder.eval();
        var one = ones(1, 10, dtype: ScalarType.Int64);
        var layers = encoder.Layers(reference.Tensor("in.embedding_output", dtype), one);
        reference.AssertClose("out.layer0_output", layers[0]);
        reference.AssertClose("out.layer1_output", layers[1]);
        reference.AssertClose("out.pooled", encoder.Pooler(layers[1]));
        reference.AssertClose("out.sentence_embedding", BertEncoder.Normalize(BertEncoder.Pool(layers[1], one, Pooling.Mean)));
        Tensor Weight(string name) => tensor(weights.ReadFloat64(name), weights.Tensors[name].Shape).to_type(dtype);
        var logits = functional.linear(encoder.Pooler(layers[1]), Weight("classifier.weight"), Weight("classifier.bias"));
        reference.AssertClose("out.logits", logits);
        logits.narrow(0, 0, 1).squeeze(0).mul(reference.Tensor("in.R", dtype)).sum().backward();
        foreach (var (name, parameter) in encoder.NamedWeights())
        {
            if (reference.Names.Contains("grad.bert." + name))
                reference.AssertClose("grad.bert." + name, parameter.Gradient()!);
        }

        var mask = reference.Tensor("in.batch_attention_mask", dtype);
        var batch = encoder.Layers(reference.Tensor("in.batch", dtype), mask)[^1];
        reference.AssertClose("out.batch_layer1_output", batch.mul(mask.to_type(dtype).unsqueeze(2)));
        reference.AssertClose("out.batch_sentence_embedding", BertEncoder.Normalize(BertEncoder.Pool(batch, mask, Pooling.Mean)));
    }

    [Fact]
    public void Texts_of_the_reference_model_tokenize_to_its_ids()
    {
        var folder = SharedFiles.OrSkip("golden/bert");
        var tokenizer = new WordPieceTokenizer(WordPieceVocabulary.Load(Path.Combine(folder, "vocab.txt")));
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "texts.json")));
        foreach (var entry in json.RootElement.GetProperty("cases").EnumerateArray())
            Assert.Equal(entry.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()), tokenizer.Encode(entry.GetProperty("text").GetString()!, 128));
    }

    [Fact]
    public void MiniLM_sentence_vectors_equal_the_published_ones()
    {
        var folder = SharedFiles.OrSkip("weights/all-MiniLM-L6-v2");
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "reference.json")));
        var tolerance = json.RootElement.GetProperty("tolerance").GetProperty("float32_max_abs").GetDouble();
        var sentences = json.RootElement.GetProperty("sentences").EnumerateArray().ToArray();
        using var encoder = SentenceEncoder.Open(folder);
        var texts = sentences.Select(s => s.GetProperty("text").GetString()!).ToArray();
        foreach (var (sentence, text) in sentences.Zip(texts))
            Assert.Equal(sentence.GetProperty("input_ids").EnumerateArray().Select(i => i.GetInt32()), encoder.Tokenizer.Encode(text, encoder.MaxTokens));
        var vectors = encoder.Encode(texts, ct: TestContext.Current.CancellationToken);
        for (var i = 0; i < sentences.Length; i++)
        {
            var expected = sentences[i].GetProperty("vector").EnumerateArray().Select(v => v.GetDouble()).ToArray();
            Assert.All(expected.Zip(vectors[i]), pair => Assert.InRange(pair.Second, pair.First - tolerance, pair.First + tolerance));
        }
    }

    [Fact]
    public void Padding_beside_longer_texts_does_not_change_a_vector_and_a_row_of_padding_stays_finite()
    {
        using var scope = NewDisposeScope();
        using var grad = no_grad();
        manual_seed(3);
        var encoder = new BertEncoder(
                new BertConfig { VocabSize = 30, HiddenSize = 16, Layers = 2, Heads = 2, IntermediateSize = 32, MaxPositions = 12 })
            .to(ScalarType.Float64);
        encoder.eval();
        var alone = encoder.forward(tensor(new long[] { 2, 7, 9, 3 }, new long[] { 1, 4 }), ones(1, 4, dtype: ScalarType.Int64));
        var ids = tensor(new long[] { 2, 7, 9, 3, 0, 0, 2, 5, 5, 5, 5, 3, 0, 0, 0, 0, 0, 0 }, new long[] { 3, 6 });
        var mask = tensor(new long[] { 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0 }, new long[] { 3, 6 });
        var beside = encoder.forward(ids, mask);
        Assert.True(beside.narrow(0, 0, 1).narrow(1, 0, 4).allclose(alone, 0, 1e-12));
        Assert.True(beside.isfinite().all().item<bool>());
        Assert.True(BertEncoder.Pool(beside, mask, Pooling.Mean).isfinite().all().item<bool>());
    }

    [Fact]
    public void Weights_survive_a_round_trip_through_the_file()
    {
        var config = new BertConfig { VocabSize = 30, HiddenSize = 16, Layers = 2, Heads = 2, IntermediateSize = 32, MaxPositions = 12 };
        var folder = Directory.CreateTempSubdirectory("bert").FullName;
        using var first = new BertEncoder(config);
        SafeTensors.Write(Path.Combine(folder, "model.safetensors"), first.Export());
        config.Save(Path.Combine(folder, "config.json"));
        using var second = new BertEncoder(BertConfig.Load(Path.Combine(folder, "config.json")));
        Assert.Equal(config with { }, second.Config);
        using (var file = SafeTensors.Open(Path.Combine(folder, "model.safetensors")))
            second.Load(file);
        var (a, b) = (first.Export(), second.Export());
        Assert.Equal(2 + 3 + (2 * 16) + 2, a.Count);
        Assert.All(a, pair => Assert.Equal(pair.Value.Data, b[pair.Key].Data));
        using var smaller = new BertEncoder(config with { HiddenSize = 8 });
        using (var file = SafeTensors.Open(Path.Combine(folder, "model.safetensors")))
            Assert.Contains("[30, 16]", Assert.Throws<InvalidDataException>(() => smaller.Load(file)).Message, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("model_type", "roberta")]
    [InlineData("hidden_act", "relu")]
    public void A_model_of_another_kind_is_refused_by_its_field(string field, string value)
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, $$"""{"{{field}}": "{{value}}"}""");
        var message = Assert.Throws<InvalidDataException>(() => BertConfig.Load(path)).Message;
        File.Delete(path);
        Assert.Contains(field, message, StringComparison.Ordinal);
        Assert.Contains(value, message, StringComparison.Ordinal);
    }

    private static BertEncoder Load(string folder, ScalarType dtype)
    {
        var encoder = new BertEncoder(BertConfig.Load(Path.Combine(folder, "config.json")));
        using var file = SafeTensors.Open(Path.Combine(folder, "model.safetensors"));
        encoder.Load(file);
        encoder.to(dtype);
        encoder.eval();
        return encoder;
    }
}
