using StreamRec.Contracts;
using StreamRec.GraphStore;
using StreamRec.Sources;

namespace StreamRec.Demo;

/// <summary>
/// What must come of everything the broker has acknowledged, computed from the input alone: counts per fate, dead letters per reason and the
/// digest of the graph. The pipeline's own numbers are held against it. Thread-safe.
/// </summary>
internal sealed class Expected
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, long> _deadLetters = new(StringComparer.Ordinal);
    private GraphDigest _digest;
    private long _applied, _duplicates;

    public long Applied => Volatile.Read(ref _applied);

    public long Duplicates => Volatile.Read(ref _duplicates);

    /// <summary>Everything acknowledged.</summary>
    public long Produced
    {
        get
        {
            lock (_lock)
                return _applied + _duplicates + _deadLetters.Values.Sum();
        }
    }

    public string Digest
    {
        get
        {
            lock (_lock)
                return _digest.ToString();
        }
    }

    public IReadOnlyDictionary<string, long> DeadLetters
    {
        get
        {
            lock (_lock)
                return new SortedDictionary<string, long>(_deadLetters, StringComparer.Ordinal);
        }
    }

    public void Add(in SourceMessage message)
    {
        lock (_lock)
        {
            switch (message.Fate)
            {
                case Fate.Applied:
                    _applied++;
                    _digest.Add(message.Interaction);
                    break;
                case Fate.Duplicate:
                    _duplicates++;
                    break;
                default:
                    var code = message.Reason.Code();
                    _deadLetters[code] = _deadLetters.GetValueOrDefault(code) + 1;
                    break;
            }
        }
    }
}
