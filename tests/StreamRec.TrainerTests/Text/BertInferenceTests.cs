using StreamRec.Trainer.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.TrainerTests.Text;

public class BertInferenceTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(6, 16, 16)]
    [InlineData(7, 5, 3)]
    [InlineData(13, 800, 37)]
    [InlineData(64, 384, 1152)]
    public void A_packed_product_equals_the_plain_one(int rows, int inputs, int outputs)
    {
        var random = new Random(rows);
        float[] Values(int n) => [.. Enumerable.Range(0, n).Select(_ => (float)random.NextDouble() - 0.5f)];
        var (x, weights, bias) = (Values(PackedMatrix.PaddedRows(rows) * (inputs + 3)), Values(outputs * inputs), Values(outputs));
        var y = Enumerable.Repeat(-99f, PackedMatrix.PaddedRows(rows) * (outputs + 2)).ToArray();
        PackedMatrix.OfWeights(weights, bias, inputs, outputs).Multiply(rows, x, inputs + 3, y, outputs + 2);
        var transposed = new PackedMatrix(inputs + 4, outputs + 20);
        transposed.Set(Enumerable.Range(0, inputs * outputs).Select(i => weights[(i % outputs * inputs) + (i / outputs)]).ToArray(), outputs, inputs, outputs);
        var z = new float[y.Length];
        transposed.Multiply(rows, x, inputs + 3, z, outputs + 2);
        for (var r = 0; r < rows; r++)
        {
            for (var o = 0; o < outputs; o++)
            {
                var product = Enumerable.Range(0, inputs).Sum(i => (double)x[(r * (inputs + 3)) + i] * weights[(o * inputs) + i]);
                Assert.Equal(bias[o] + product, y[(r * (outputs + 2)) + o], 1e-4);
                Assert.Equal(product, z[(r * (outputs + 2)) + o], 1e-4);
            }

            Assert.Equal(-99f, y[(r * (outputs + 2)) + outputs]); // nothing beyond the columns
        }
    }

    [Theory]
    [InlineData(16, 2, 1)]
    [InlineData(64, 4, 3)]
    [InlineData(48, 6, 2)]
    public void Texts_of_any_lengths_get_the_vectors_of_the_torch_model(int hidden, int heads, int layers)
    {
        using var scope = NewDisposeScope();
        using var grad = no_grad();
        manual_seed(6);
        var config = new BertConfig
        {
            VocabSize = 90, HiddenSize = hidden, Layers = layers, Heads = heads,
            IntermediateSize = (2 * hidden) + 8, MaxPositions = 140,
        };
        var torchModel = new BertEncoder(config);
        foreach (var (_, parameter) in torchModel.NamedWeights())
            parameter.normal_(0, 0.3);
        torchModel.eval();
        var random = new Random(7);
        int[][] texts = [.. new[] { 2, 3, 130, 7, 2, 25, 6, 12, 40, 5, 64, 18 }.Select(n => Enumerable.Range(0, n).Select(_ => random.Next(90)).ToArray())];
        var inference = new BertInference(config, torchModel.Export());
        var workspace = inference.Workspace(texts.Sum(t => t.Length), 130);
        foreach (var pooling in new[] { Pooling.Mean, Pooling.FirstToken })
        {
            var pooled = new float[texts.Length * hidden];
            inference.Encode(texts, pooling, workspace, pooled);
            for (var i = 0; i < texts.Length; i++)
            {
                var (ids, mask) = SentenceEncoder.Pad([texts[i]], 0);
                var expected = BertEncoder.Pool(torchModel.forward(ids, mask), mask, pooling).data<float>().ToArray();
                Assert.All(expected.Zip(pooled.AsSpan(i * hidden, hidden).ToArray()), pair => Assert.Equal(pair.First, pair.Second, 2e-4f));
            }
        }
    }
}
