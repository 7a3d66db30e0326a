using StreamRec.Contracts;

namespace StreamRec.Tests.Graph;

/// <summary>What a live graph must equal: a list per node, and a window that forgets segments as a whole.</summary>
internal sealed class NaiveGraph(int maxEdges)
{
    private readonly int _segmentEdges = Math.Max(1, maxEdges / 8);
    private readonly List<List<(int User, UserEvent Event)>> _segments = [[]];
    private readonly List<int> _added = [0];

    public IEnumerable<(int User, UserEvent Event)> Edges => _segments.SelectMany(s => s);

    public void Add(int user, UserEvent @event)
    {
        if (_added[^1] == _segmentEdges)
        {
            _segments.Add([]);
            _added.Add(0);
            if (_segments.Count > 8)
            {
                _segments.RemoveAt(0);
                _added.RemoveAt(0);
            }
        }

        _segments[^1].Add((user, @event));
        _added[^1]++;
    }

    public int Remove(int user) => _segments.Sum(s => s.RemoveAll(e => e.User == user));

    public UserEvent[] Recent(int user, int count)
        => [.. Edges.Where(e => e.User == user).Select(e => e.Event).Reverse().Take(count).OrderByDescending(e => e.TimeMs)];

    public int[] ItemUsers(int item, int count) => [.. Edges.Where(e => e.Event.Item == item).Select(e => e.User).Reverse().Take(count)];
}
