using StreamRec.Model;

namespace StreamRec.Scorer;

/// <summary>
/// What users.v1 says of the users, and as rows of the serving model's attribute table. Only users with attributes take memory. One thread.
/// </summary>
internal sealed class Profiles
{
    private readonly Dictionary<string, IReadOnlyDictionary<string, string>> _attributes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int[]> _rows = new(StringComparer.Ordinal);
    private UserAttributes? _table;

    /// <summary>News about a person; without attributes they are forgotten.</summary>
    public void Put(string userId, IReadOnlyDictionary<string, string> attributes)
    {
        _rows.Remove(userId);
        if (attributes.Count == 0)
            _attributes.Remove(userId);
        else
            _attributes[userId] = attributes;
    }

    /// <summary>Another model serves: rows are told by its table from now on.</summary>
    public void Use(RankingModel model)
    {
        _rows.Clear();
        _table = model.Manifest.Config.UserAttributes is { Count: > 0 } entries ? new UserAttributes(entries) : null;
    }

    /// <summary>Rows of a person's attributes; empty for somebody unknown and for a model that reads none. Allocates once per person and model.</summary>
    public ReadOnlySpan<int> RowsOf(string userId)
    {
        if (_table is null || !_attributes.TryGetValue(userId, out var attributes))
            return [];
        if (!_rows.TryGetValue(userId, out var rows))
            _rows[userId] = rows = _table.Encode(attributes);
        return rows;
    }
}
