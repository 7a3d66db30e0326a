namespace StreamRec.Trainer.Data;

/// <summary>
/// Numbers items 0, 1, … in the order they are met: the rows of a batch's part of the catalogue. Memory: 4 bytes per item of the catalogue.
/// Not thread-safe.
/// </summary>
public sealed class ItemNodes
{
    private readonly int[] _row;
    private readonly List<int> _items = [];

    /// <param name="items">Size of the catalogue.</param>
    public ItemNodes(int items)
    {
        _row = new int[items];
        Array.Fill(_row, -1);
    }

    public int Count => _items.Count;

    /// <summary>The item of a row.</summary>
    public int this[int row] => _items[row];

    /// <summary>The item's row; a new one when it has none yet.</summary>
    public int Add(int item)
    {
        ref var row = ref _row[item];
        if (row < 0)
        {
            row = _items.Count;
            _items.Add(item);
        }

        return row;
    }

    /// <summary>Forgets all items; costs as much as there are.</summary>
    public void Clear()
    {
        foreach (var item in _items)
            _row[item] = -1;
        _items.Clear();
    }
}
