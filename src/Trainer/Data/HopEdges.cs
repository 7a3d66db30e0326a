namespace StreamRec.Trainer.Data;

/// <summary>What the neighbour head reads of a batch of histories.</summary>
/// <param name="Time">
/// [Rows, Length, Length]: bucket of the time from event q (last) to the question
/// asked of position t; 0 where q is no evidence for t: later, padding, a return.
/// </param>
/// <param name="Own">
/// Per relation what the row's own user contributed to the edges of the items in it: flat position in the batch, other item, weight. Taken out in training,
/// where the edge would give the target away; empty when serving.
/// </param>
public sealed record HopEdges(int[] Time, List<(int Position, int Item, float Weight)>[] Own);
