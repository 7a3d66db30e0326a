using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace StreamRec.GraphStore;

/// <summary>What an erase removed where, and the graph's digest before and after. Holds nothing about the person but a hash of the id.</summary>
/// <param name="UserId">The erased id, for the caller to go on with; keep it out of stored proofs.</param>
/// <param name="UserHash">SHA-256 of the id in hex: proves to whoever knows the id which erase this was.</param>
/// <param name="Removed">Rows or keys removed, by place (<c>postgres.interactions</c>, <c>redis.recent</c>, …).</param>
/// <param name="DigestBefore">Digest of the graph before.</param>
/// <param name="DigestAfter">Digest after: the same events without this person's.</param>
/// <param name="At">When.</param>
public sealed record EraseProof(
    string UserId, string UserHash, IReadOnlyDictionary<string, long> Removed,
    string DigestBefore, string DigestAfter, DateTimeOffset At);

public sealed partial class PostgresGraph
{
    /// <summary>
    /// Removes a person: row, interactions and edges, in one transaction that no batch can interleave with. The epoch goes up, so
    /// every writer's remembered key for the person is refused from then on. Records that reached the log up to then stay out
    /// however late they are read; newer ones make a new, empty person.
    /// Erasing an unknown person is a proof of zero rows. Cost: the person's rows, plus a digest of the graph where asked for.
    /// </summary>
    /// <param name="userId">The producer's user id.</param>
    /// <param name="at">The moment of the erasure by the log's clock; now where null.</param>
    /// <param name="withDigests">Computes the digests of the proof; false leaves them empty (reads the graph twice otherwise).</param>
    /// <param name="cancellation">Stops before the commit.</param>
    public async Task<EraseProof> EraseAsync(string userId, DateTimeOffset? at = null, bool withDigests = true, CancellationToken cancellation = default)
    {
        await using var connection = await OpenAsync(cancellation);
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        await ExecuteAsync(connection, "select pg_advisory_xact_lock(hashtextextended(current_schema() || '.graph_epoch', 0))", cancellation);
        var before = withDigests ? (await DigestAsync(connection, cancellation)).ToString() : "";
        await ExecuteAsync(connection, "update graph_epoch set epoch = epoch + 1", cancellation);
        const string ofUser = " where user_key = (select user_key from users where user_id = $1)";
        var removed = new Dictionary<string, long>(StringComparer.Ordinal)
        {
            ["postgres.interactions"] = await DeleteAsync(connection, "delete from interactions" + ofUser, userId, cancellation),
            ["postgres.edges"] = await DeleteAsync(connection, "delete from edges" + ofUser, userId, cancellation),
            ["postgres.users"] = await DeleteAsync(connection, "delete from users where user_id = $1", userId, cancellation),
        };
        var after = withDigests ? (await DigestAsync(connection, cancellation)).ToString() : "";
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(userId)));
        var proof = new EraseProof(userId, hash, removed, before, after, at ?? DateTimeOffset.UtcNow);
        await RecordAsync(connection, proof, cancellation);
        await transaction.CommitAsync(cancellation);
        Log.Erased(_log, removed["postgres.interactions"], removed["postgres.edges"], before, after);
        return proof;
    }

    private static async Task RecordAsync(NpgsqlConnection connection, EraseProof proof, CancellationToken cancellation)
    {
        await using var insert = new NpgsqlCommand("insert into erasures values ($1, $2, $3, $4, $5)", connection);
        insert.Parameters.Add(Text(proof.UserHash));
        insert.Parameters.Add(new() { Value = proof.At });
        insert.Parameters.Add(Json(proof.Removed.ToDictionary(r => r.Key, r => r.Value.ToString(CultureInfo.InvariantCulture))));
        insert.Parameters.Add(Text(proof.DigestBefore));
        insert.Parameters.Add(Text(proof.DigestAfter));
        await insert.ExecuteNonQueryAsync(cancellation);
    }

    private static async Task<long> DeleteAsync(NpgsqlConnection connection, string sql, string userId, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.Add(Text(userId));
        return await command.ExecuteNonQueryAsync(cancellation);
    }
}
