using System.Buffers.Binary;
using System.Text;
using Npgsql;

namespace StreamRec.GraphStore;

/// <summary>
/// Reads the rows of a <c>COPY … TO STDOUT (FORMAT binary)</c> straight from the wire buffer: about 10 million narrow rows a
/// second, where a field-by-field driver call takes several times as long. Forward only; fields are read in order.
/// </summary>
internal sealed class CopyReader : IAsyncDisposable
{
    private const int HeaderLength = 19; // signature, flags, extension length
    private readonly Stream _stream;
    private byte[] _buffer = new byte[1 << 17];
    private int _at;
    private int _end;
    private bool _done;

    private CopyReader(Stream stream) => _stream = stream;

    public static async Task<CopyReader> OpenAsync(NpgsqlConnection connection, string query, CancellationToken cancellation)
    {
        var reader = new CopyReader(await connection.BeginRawBinaryCopyAsync($"copy ({query}) to stdout (format binary)", cancellation));
        await reader.NeedAsync(HeaderLength, cancellation);
        reader._at += HeaderLength;
        return reader;
    }

    /// <summary>Goes to the next row and makes all of it readable. False at the end.</summary>
    public ValueTask<bool> ReadAsync(CancellationToken cancellation) => TryRow() ? new(!_done) : SlowAsync(cancellation);

    public long Int64() => Length() == 8 ? BinaryPrimitives.ReadInt64BigEndian(Take(8)) : throw Bad("bigint");

    public short Int16() => Length() == 2 ? BinaryPrimitives.ReadInt16BigEndian(Take(2)) : throw Bad("smallint");

    public UInt128 Uuid() => Length() == 16 ? BinaryPrimitives.ReadUInt128BigEndian(Take(16)) : throw Bad("uuid");

    /// <summary>NaN where the column is null.</summary>
    public float Single()
    {
        var length = Length();
        return length < 0 ? float.NaN : length == 4 ? BinaryPrimitives.ReadSingleBigEndian(Take(4)) : throw Bad("real");
    }

    public string Text()
    {
        var length = Length();
        return length < 0 ? "" : Encoding.UTF8.GetString(Take(length));
    }

    public async ValueTask DisposeAsync() => await _stream.DisposeAsync();

    /// <summary>True where a whole row, or the end marker, is in the buffer.</summary>
    private bool TryRow()
    {
        if (_done)
            return true;
        var rest = _buffer.AsSpan(_at, _end - _at);
        if (rest.Length < 2)
            return false;
        var fields = BinaryPrimitives.ReadInt16BigEndian(rest);
        if (fields < 0)
            return _done = true;
        var length = 2;
        for (var i = 0; i < fields; i++)
        {
            if (rest.Length < length + 4)
                return false;
            length += 4 + Math.Max(0, BinaryPrimitives.ReadInt32BigEndian(rest[length..]));
        }

        if (rest.Length < length)
            return false;
        _at += 2;
        return true;
    }

    private async ValueTask<bool> SlowAsync(CancellationToken cancellation)
    {
        do
            await NeedAsync(_end - _at + 1, cancellation);
        while (!TryRow());
        if (_done)
        {
            while (await _stream.ReadAsync(_buffer, cancellation) > 0)
            {
            }
        }

        return !_done;
    }

    private async Task NeedAsync(int count, CancellationToken cancellation)
    {
        _buffer.AsSpan(_at, _end - _at).CopyTo(_buffer);
        (_at, _end) = (0, _end - _at);
        if (count > _buffer.Length)
            System.Array.Resize(ref _buffer, _buffer.Length * 2);
        // The stream gives one row a call: many are taken at once, so that the way here is not gone for each.
        while (_end < _buffer.Length)
        {
            var read = await _stream.ReadAsync(_buffer.AsMemory(_end), cancellation);
            if (read == 0)
            {
                if (_end < count)
                    throw new InvalidDataException("COPY ended in the middle of a row");
                return;
            }

            _end += read;
        }
    }

    private int Length()
    {
        var length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_at));
        _at += 4;
        return length;
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        var span = _buffer.AsSpan(_at, length);
        _at += length;
        return span;
    }

    private static InvalidDataException Bad(string type) => new($"COPY gave a field that is not a {type}: the query and its reader disagree");
}
