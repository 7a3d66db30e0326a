namespace StreamRec.Trainer.Text;

/// <summary>
/// One batch of the masked language model (Devlin et al. 2018): 15 % of a row's pieces, at least one, are to be guessed; of those 80 % read [MASK],
/// 10 % a random piece, 10 % themselves.
/// </summary>
/// <param name="Rows">The ids as the model reads them.</param>
/// <param name="Positions">Places to guess, counted row × longest row + place.</param>
/// <param name="Targets">The pieces that stood there.</param>
internal sealed record MaskedRows(int[][] Rows, long[] Positions, long[] Targets)
{
    private const double Share = 0.15;

    public static MaskedRows Of(IReadOnlyList<int[]> rows, WordPieceVocabulary vocabulary, Random random)
    {
        var length = rows.Max(r => r.Length);
        var (masked, positions, targets) = (new int[rows.Count][], new List<long>(), new List<long>());
        for (var row = 0; row < rows.Count; row++)
        {
            var ids = masked[row] = (int[])rows[row].Clone();
            var sure = random.Next(1, ids.Length - 1); // between [CLS] and [SEP]
            for (var at = 1; at < ids.Length - 1; at++)
            {
                if (at != sure && random.NextDouble() >= Share)
                    continue;
                positions.Add(((long)row * length) + at);
                targets.Add(ids[at]);
                ids[at] = random.NextDouble() switch
                {
                    < 0.8 => vocabulary.Mask,
                    < 0.9 => random.Next(vocabulary.Count),
                    _ => ids[at],
                };
            }
        }

        return new MaskedRows(masked, [.. positions], [.. targets]);
    }
}
