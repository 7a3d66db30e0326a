using StreamRec.Model;
using StreamRec.Trainer;
using StreamRec.Trainer.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Text;

public sealed class LoraTests : IDisposable
{
    private static readonly BertConfig Tiny = new() { VocabSize = 30, HiddenSize = 16, Layers = 3, Heads = 2, IntermediateSize = 32, MaxPositions = 12 };
    private readonly string _folder = Directory.CreateTempSubdirectory("lora").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    public void Adapters_on_query_and_value_equal_the_reference_in_forward_and_gradients(ScalarType dtype)
    {
        using var inputs = new ReferenceFile("bert/outputs.safetensors");
        using var reference = new ReferenceFile("bert/lora_outputs.safetensors");
        using var scope = NewDisposeScope();
        var encoder = Adapted(dtype);
        var (sentence, pooler, loss) = Loss(encoder, inputs, dtype);
        reference.AssertClose("out.sentence_embedding", sentence);
        reference.AssertClose("out.pooler_output", pooler);
        reference.AssertClose("out.loss", loss);
        loss.backward();
        Assert.Equal(8, encoder.NamedAdapters().Count());
        foreach (var (name, parameter) in encoder.NamedAdapters())
            reference.AssertClose("grad." + name, parameter.Gradient()!);
    }

    [Fact]
    public void Merged_weights_give_the_adapters_forward()
    {
        using var inputs = new ReferenceFile("bert/outputs.safetensors");
        using var reference = new ReferenceFile("bert/lora_outputs.safetensors");
        using var scope = NewDisposeScope();
        using var grad = no_grad();
        using var adapted = Adapted(ScalarType.Float32);
        SafeTensors.Write(Path.Combine(_folder, "merged.safetensors"), adapted.Export());
        var merged = new BertEncoder(adapted.Config);
        using (var file = SafeTensors.Open(Path.Combine(_folder, "merged.safetensors")))
            merged.Load(file);
        merged.eval();
        var (expected, _, _) = Loss(adapted, inputs, ScalarType.Float32);
        var (actual, _, _) = Loss(merged, inputs, ScalarType.Float32);
        Assert.True(actual.allclose(expected, 0, 2e-6), "merging changes the sentence vectors");
        reference.AssertClose("out.sentence_embedding", actual);
    }

    [Fact]
    public void An_untrained_adapter_changes_nothing_and_a_saved_one_comes_back()
    {
        using var scope = NewDisposeScope();
        using var grad = no_grad();
        manual_seed(4);
        var plain = new BertEncoder(Tiny);
        var adapted = new BertEncoder(Tiny, new LoraOptions { Rank = 2 });
        SafeTensors.Write(Path.Combine(_folder, "base.safetensors"), plain.Export());
        using (var file = SafeTensors.Open(Path.Combine(_folder, "base.safetensors")))
            adapted.Load(file);
        plain.eval();
        adapted.eval();
        var (ids, mask) = (tensor(new long[] { 2, 7, 9, 3 }, new long[] { 1, 4 }), ones(1, 4, dtype: ScalarType.Int64));
        Assert.True(adapted.forward(ids, mask).allclose(plain.forward(ids, mask), 0, 0));

        foreach (var (_, parameter) in adapted.NamedAdapters())
            parameter.normal_(0, 0.3);
        SafeTensors.Write(Path.Combine(_folder, "adapter.safetensors"), adapted.ExportAdapters());
        var second = new BertEncoder(Tiny, new LoraOptions { Rank = 2 });
        using (var file = SafeTensors.Open(Path.Combine(_folder, "base.safetensors")))
            second.Load(file);
        using (var file = SafeTensors.Open(Path.Combine(_folder, "adapter.safetensors")))
            second.LoadAdapters(file);
        second.eval();
        Assert.True(second.forward(ids, mask).allclose(adapted.forward(ids, mask), 0, 0));
        Assert.False(second.forward(ids, mask).allclose(plain.forward(ids, mask), 0, 1e-3));

        using var other = new BertEncoder(Tiny, new LoraOptions { Rank = 3 });
        using var smaller = SafeTensors.Open(Path.Combine(_folder, "adapter.safetensors"));
        Assert.Contains("lora_A", Assert.Throws<InvalidDataException>(() => other.LoadAdapters(smaller)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(false, 2)]
    [InlineData(true, 0)]
    [InlineData(true, 2)]
    public void Only_what_is_not_frozen_gets_a_gradient(bool lora, int frozen)
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var encoder = new BertEncoder(Tiny, lora ? new LoraOptions { Rank = 2 } : null);
        using (no_grad())
        {
            foreach (var (_, parameter) in encoder.NamedAdapters())
                parameter.normal_(0, 0.3);
        }

        var trained = encoder.Freeze(frozen);
        encoder.forward(tensor(new long[] { 2, 7, 9, 3 }, new long[] { 1, 4 }), ones(1, 4, dtype: ScalarType.Int64))
            .square()
            .mul(arange(16.0))
            .sum()
            .backward();
        foreach (var (name, parameter) in encoder.NamedWeights().Concat(encoder.NamedAdapters()))
        {
            var layer = name.StartsWith("encoder.", StringComparison.Ordinal) ? name[14] - '0' : -1;
            var expected = !name.StartsWith("pooler.", StringComparison.Ordinal)
                && (!lora || name.Contains("lora_", StringComparison.Ordinal))
                && (frozen == 0 || layer >= frozen);
            Assert.Equal(expected, parameter.Gradient() is not null);
            Assert.Equal(expected, trained.Contains(parameter));
        }
    }

    private static BertEncoder Adapted(ScalarType dtype)
    {
        var folder = SharedFiles.OrSkip("golden/bert");
        var encoder = new BertEncoder(BertConfig.Load(Path.Combine(folder, "config.json")), new LoraOptions { Rank = 4, Alpha = 8 });
        using (var file = SafeTensors.Open(Path.Combine(folder, "model.safetensors")))
            encoder.Load(file);
        using (var file = SafeTensors.Open(Path.Combine(folder, "lora_adapter.safetensors")))
            encoder.LoadAdapters(file);
        encoder.to(dtype);
        encoder.eval();
        return encoder;
    }

    private static (Tensor Sentence, Tensor Pooler, Tensor Loss) Loss(BertEncoder encoder, ReferenceFile inputs, ScalarType dtype)
    {
        var mask = inputs.Tensor("in.attention_mask", dtype);
        var hidden = encoder.Layers(encoder.Embed(inputs.Tensor("in.input_ids", dtype), inputs.Tensor("in.token_type_ids", dtype)), mask)[^1];
        var (sentence, pooler) = (BertEncoder.Normalize(BertEncoder.Pool(hidden, mask, Pooling.Mean)), encoder.Pooler(hidden));
        return (sentence, pooler, sentence.mul(inputs.Tensor("in.R1", dtype)).sum().add(pooler.mul(inputs.Tensor("in.R2", dtype)).sum()));
    }
}
