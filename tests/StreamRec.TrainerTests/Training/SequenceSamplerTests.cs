using StreamRec.Contracts;
using StreamRec.Trainer.Data;

namespace StreamRec.TrainerTests.Training;

public class SequenceSamplerTests
{
    [Fact]
    public void Every_event_after_the_first_is_a_target_once_per_epoch()
    {
        var log = EventLog.From(TinyMarket.Create());
        var sampler = new SequenceSampler(log, log.Count, 7, 64, EventTypes.Default, seed: 4);
        var batches = sampler.Epoch(2);
        Assert.Equal(log.Count - log.Users, batches.Sum(b => b.Target.Length));
        var firsts = Enumerable.Range(0, log.Users).Select(u => log.Item[log.EventsOf(u)[0]]);
        var expected = log.Item.GroupBy(i => i).ToDictionary(g => g.Key, g => g.Count());
        foreach (var first in firsts)
            expected[first]--;
        var targets = batches.SelectMany(b => b.Target).GroupBy(i => (int)i).ToDictionary(g => g.Key, g => g.Count());
        Assert.Equal(expected.Where(e => e.Value > 0).OrderBy(e => e.Key), targets.OrderBy(t => t.Key));
    }

    [Fact]
    public void No_event_at_or_after_the_end_reaches_a_batch()
    {
        var log = EventLog.From(TinyMarket.Create());
        var end = log.Count / 2;
        var sampler = new SequenceSampler(log, end, 50, 640, EventTypes.Default, seed: 4);
        var late = new HashSet<int>(log.Item[end..]);
        late.ExceptWith(log.Item[..end]);
        var expected = Enumerable.Range(0, log.Users).Sum(u => Math.Max(0, log.EventsOf(u).ToArray().Count(e => e < end) - 1));
        Assert.Equal(expected, sampler.Epoch(0).Sum(b => b.Target.Length));
        Assert.DoesNotContain(sampler.Epoch(0).SelectMany(b => b.Item), i => late.Contains((int)i));
    }

    [Fact]
    public void An_epoch_is_the_same_again_and_another_epoch_is_not()
    {
        var log = EventLog.From(TinyMarket.Create());
        var sampler = new SequenceSampler(log, log.Count, 7, 64, EventTypes.Default, seed: 4);
        var (first, again, other) = (sampler.Epoch(0), sampler.Epoch(0), sampler.Epoch(1));
        Assert.Equal(first.SelectMany(b => b.Item), again.SelectMany(b => b.Item));
        Assert.NotEqual(first.SelectMany(b => b.Item), other.SelectMany(b => b.Item));
    }

    [Fact]
    public void Batches_made_ahead_on_other_threads_are_those_of_the_epoch_in_its_order()
    {
        var log = EventLog.From(TinyMarket.Create(repeatShare: 0.5f));
        var epoch = new SequenceSampler(log, log.Count, 7, 64, EventTypes.Default, seed: 4, copies: true).Epoch(0);
        Assert.True(epoch.Count > 10);
        static string Of(SequenceBatch b) =>
            $"{string.Join(',', b.Item)} {string.Join(',', b.Asked)} {string.Join(',', b.Target)} {string.Join(',', b.Copies)}";
        Assert.Equal(epoch.Select(Of), epoch.Ahead().Select(Of));
        Assert.Equal(epoch.Take(3).Select(Of), epoch.Ahead().Take(3).Select(Of));
        Assert.Equal(Of(epoch[5]), Of(epoch.Skip(5).First()));
    }

    [Fact]
    public void A_return_is_read_but_never_a_target()
    {
        var types = EventTypes.Default;
        var give = types.Find("return")!.Code;
        var log = new EventLog(1, 3, [0, 0, 0], [0, 1, 2], [5, give, 5], [float.NaN, float.NaN, float.NaN], [1, 2_000, 3_000]);
        var batch = Assert.Single(new SequenceSampler(log, 3, 50, 640, types, seed: 0).Epoch(0));
        Assert.Equal([2L], batch.Target);
        Assert.Equal([1L], batch.Asked);
        Assert.Equal([5L, give], batch.Type);
    }

    [Fact]
    public void By_moments_the_last_event_of_one_is_asked_for_all_of_the_next_and_copies_are_all_that_came_before()
    {
        // Two events at 1 s, two at 5 s, one at 9 s.
        var log = new EventLog(1, 5, [0, 0, 0, 0, 0], [0, 1, 2, 3, 1], [5, 5, 5, 5, 5], new float[5], [1_000, 1_000, 5_000, 5_000, 9_000]);
        var batch = Assert.Single(new SequenceSampler(log, 5, 50, 640, EventTypes.Default, seed: 0, TargetMode.Moment, copies: true).Epoch(0));
        Assert.Equal([1L, 3L], batch.Asked);
        Assert.Equal([2L, 3L], batch.Target[..2].Order());
        Assert.Equal(1L, batch.Target[2]);
        Assert.Equal([0L, 0L, 1L], batch.Question!);
        Assert.Equal([0, 1], batch.Copies.Where(c => c.Asked == 0).Select(c => c.Item).Order());
        Assert.Equal([0, 1, 2, 3], batch.Copies.Where(c => c.Asked == 1).Select(c => c.Item).Order());
        Assert.All(batch.Copies.Where(c => c.Asked == 0), c => Assert.Equal(StreamRec.Model.Buckets.Time(4_000), c.Bucket));
    }

    [Fact]
    public void Fine_tuning_without_replay_sees_only_pieces_with_new_edges()
    {
        var log = EventLog.From(TinyMarket.Create(eventsPerUser: 60));
        var sampler = new SequenceSampler(log, log.Count, 10, 640, EventTypes.Default, seed: 0);
        var all = sampler.Epoch(0).Sum(b => b.Target.Length);
        var newest = log.Count * 9 / 10;
        var part = sampler.Epoch(0, newest).Sum(b => b.Target.Length);
        var replayed = sampler.Epoch(0, newest, 0.3).Sum(b => b.Target.Length);
        Assert.InRange(part, log.Count - newest, all / 2);
        Assert.InRange(replayed, part + 1, all - 1);
    }

    [Fact]
    public void Strict_position_counts_only_strictly_older_events()
    {
        var log = new EventLog(2, 4, [0, 1, 0, 0, 0], [0, 1, 2, 3, 1], [1, 1, 1, 1, 1], new float[5], [1, 1, 5, 5, 9]);
        Assert.Equal([0, 0, 1, 2, 3], log.Position);
        Assert.Equal([0, 0, 1, 1, 3], log.StrictPosition);
    }
}
