namespace StreamRec.Model;

/// <summary>
/// Item-item weights by history item, in compressed rows: row i holds (target item, weight) pairs sorted by target.
/// Stored in an artifact as three float32 tensors (entries per row, indices, values); an index is exact in float32 up to 2^24 items.
/// </summary>
public sealed class SparseRows
{
    private const int MaxItems = 1 << 24;
    private readonly int[] _start, _index;
    private readonly float[] _value;

    /// <param name="start">[rows + 1], first entry of each row.</param>
    /// <param name="index">Target items, ascending within a row.</param>
    /// <param name="value">Weights.</param>
    public SparseRows(int[] start, int[] index, float[] value) => (_start, _index, _value) = (start, index, value);

    public int Rows => _start.Length - 1;

    public int Entries => _index.Length;

    /// <summary>Rows from a table by column: column t lists the (source, weight) pairs kept for target t. O(entries).</summary>
    public static SparseRows FromColumns(IReadOnlyList<(int[] Sources, float[] Weights)> columns)
    {
        var start = new int[columns.Count + 1];
        foreach (var (sources, _) in columns)
        {
            foreach (var source in sources)
                start[source + 1]++;
        }

        for (var i = 0; i < columns.Count; i++)
            start[i + 1] += start[i];
        var index = new int[start[^1]];
        var value = new float[start[^1]];
        var next = start.AsSpan(0, columns.Count).ToArray();
        for (var target = 0; target < columns.Count; target++) // ascending targets keep each row sorted
        {
            var (sources, weights) = columns[target];
            for (var k = 0; k < sources.Length; k++)
            {
                var at = next[sources[k]]++;
                (index[at], value[at]) = (target, weights[k]);
            }
        }

        return new SparseRows(start, index, value);
    }

    /// <summary>From an artifact's tensors; null when it has none of the three.</summary>
    public static SparseRows? Read(ModelArtifact artifact, string countName, string indexName, string valueName)
    {
        if (!artifact.Tensors.ContainsKey(countName))
            return null;
        var count = artifact.Require(countName, artifact.Items.Length);
        var index = artifact.Require(indexName, -1);
        var value = artifact.Require(valueName, index.Length);
        var start = new int[count.Length + 1];
        for (var i = 0; i < count.Length; i++)
            start[i + 1] = checked(start[i] + (int)count[i]);
        var items = Array.ConvertAll(index, i => (int)i);
        if (start[^1] != items.Length || items.Any(i => (uint)i >= (uint)count.Length))
            throw new InvalidDataException($"tensors '{countName}' and '{indexName}' of model v{artifact.Manifest.Version} do not fit together");
        return new SparseRows(start, items, value);
    }

    public void Write(IDictionary<string, (long[] Shape, float[] Data)> tensors, string countName, string indexName, string valueName)
    {
        if (Rows > MaxItems)
            throw new InvalidOperationException($"{Rows} items are more than float32 indices hold ({MaxItems})");
        var count = new float[Rows];
        for (var i = 0; i < Rows; i++)
            count[i] = _start[i + 1] - _start[i];
        tensors[countName] = ([Rows], count);
        tensors[indexName] = ([_index.Length], Array.ConvertAll(_index, i => (float)i));
        tensors[valueName] = ([_value.Length], _value);
    }

    /// <summary>scores[target] += scale · weight over the row. O(entries of the row).</summary>
    public void AddRow(int row, float scale, Span<float> scores)
    {
        var index = _index.AsSpan(_start[row].._start[row + 1]);
        var value = _value.AsSpan(_start[row].._start[row + 1]);
        for (var k = 0; k < index.Length; k++)
            scores[index[k]] += scale * value[k];
    }

    /// <summary>The weights as a row-major matrix [rows, rows].</summary>
    public float[] ToDense()
    {
        var dense = new float[checked(Rows * Rows)];
        for (var row = 0; row < Rows; row++)
            AddRow(row, 1, dense.AsSpan(row * Rows, Rows));
        return dense;
    }

    /// <summary>One weight; 0 when not stored. O(log entries of the row).</summary>
    public float At(int row, int target)
    {
        var at = _index.AsSpan(_start[row].._start[row + 1]).BinarySearch(target);
        return at < 0 ? 0 : _value[_start[row] + at];
    }
}
