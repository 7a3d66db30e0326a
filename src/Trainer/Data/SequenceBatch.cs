using StreamRec.Model;
using StreamRec.Trainer.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace StreamRec.Trainer.Data;

/// <summary>
/// A batch of histories as integer codes, row-major [Rows, Length], oldest event first, padded on the right with item 0 (a padded
/// position is never read: attention is causal and it is no target).
/// </summary>
public sealed class SequenceBatch
{
    public SequenceBatch(int rows, int length)
    {
        (Rows, Length) = (rows, length);
        var size = rows * length;
        (Item, Type, Value, Gap, Ask) = (new long[size], new long[size], new long[size], new long[size], new long[size]);
    }

    public int Rows { get; }
    public int Length { get; }
    public long[] Item { get; }
    public long[] Type { get; }
    public long[] Value { get; }
    public long[] Gap { get; }
    public long[] Ask { get; }

    /// <summary>Flat positions whose next item or items are asked for, ascending.</summary>
    public required long[] Asked { get; init; }

    /// <summary>The items that followed, those of one position beside each other.</summary>
    public required long[] Target { get; init; }

    /// <summary>For each of <see cref="Target"/> which of <see cref="Asked"/> it followed; null = one each, in order.</summary>
    public long[]? Question { get; init; }

    /// <summary>[Rows, attribute rows], 1 where the row's user has the attribute; null when nothing is known of the users.</summary>
    public float[]? Attributes { get; private set; }

    /// <summary>
    /// One entry per (question, earlier positive event of the same user): position in
    /// <see cref="Asked"/>, item, bucket of the time between. For the copy head.
    /// </summary>
    public List<(int Asked, int Item, int Bucket)> Copies { get; } = [];

    /// <summary>What the neighbour head reads; null without one.</summary>
    public HopEdges? Hops { get; set; }

    /// <summary>Whose history a row is.</summary>
    public void SetUser(int row, EventLog log, int user)
    {
        if (log.AttributeRows == 0)
            return;
        Attributes ??= new float[Rows * log.AttributeRows];
        foreach (var attribute in log.AttributesOf(user))
            Attributes[(row * log.AttributeRows) + attribute] = 1;
    }

    /// <summary>Writes one encoder row at (row, t).</summary>
    public void Set(int row, int t, in UserSequence.Row x)
    {
        var at = (row * Length) + t;
        (Item[at], Type[at], Value[at], Gap[at], Ask[at]) = (x.Item, x.Type, x.Value, x.Gap, x.Ask);
    }

    /// <summary>The codes on a device.</summary>
    /// <param name="device">Where.</param>
    /// <param name="items">Row of the item vectors per position; null = the item's number.</param>
    public EncoderInput ToInput(Device device, long[]? items = null)
    {
        Tensor On(long[] codes) => torch.tensor(codes, new long[] { Rows, Length }).to(device);
        var attributes = Attributes is null ? null : torch.tensor(Attributes, new long[] { Rows, Attributes.Length / Rows }).to(device);
        return new(On(items ?? Item), On(Type), On(Value), On(Gap), On(Ask), attributes);
    }
}
