using System.Collections;

namespace StreamRec.Trainer.Data;

/// <summary>
/// The batches of one epoch. Which histories a batch holds is decided; its codes are made each time it is read, so that memory holds a few batches and not an
/// epoch of them. Every batch is a pure function of its place: reading in any order, on any number of threads, gives the same ones.
/// </summary>
public sealed class SequenceEpoch : IReadOnlyList<SequenceBatch>
{
    /// <summary>Batches in the making or ready: enough that a device that learns faster than one core prepares does not wait.</summary>
    private const int Lead = 4;

    private readonly List<List<ArraySegment<int>>> _batches;
    private readonly Func<List<ArraySegment<int>>, SequenceBatch> _build;

    internal SequenceEpoch(List<List<ArraySegment<int>>> batches, Func<List<ArraySegment<int>>, SequenceBatch> build) => (_batches, _build) = (batches, build);

    public int Count => _batches.Count;

    public SequenceBatch this[int index] => _build(_batches[index]);

    /// <summary>All batches in order, made on other threads while the caller works.</summary>
    public IEnumerable<SequenceBatch> Ahead()
    {
        var pending = new Queue<Task<SequenceBatch>>();
        try
        {
            for (var next = 0; next < Count || pending.Count > 0;)
            {
                for (; next < Count && pending.Count < Lead; next++)
                {
                    var index = next;
                    pending.Enqueue(Task.Run(() => this[index]));
                }

                yield return pending.Dequeue().GetAwaiter().GetResult();
            }
        }
        finally
        {
            // Whoever stops early may dispose what the batches are made from. An error in one that nobody will read is nobody's.
            Task.WhenAll(pending).ContinueWith(static _ => { }, TaskScheduler.Default).GetAwaiter().GetResult();
        }
    }

    public IEnumerator<SequenceBatch> GetEnumerator() => Enumerable.Range(0, Count).Select(index => this[index]).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
