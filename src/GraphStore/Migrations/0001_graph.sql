-- The graph: who, what, the events, their fold into edges, and how far the log has been consumed.
-- Names are unqualified: the connection's search path chooses the schema.
-- Times are Unix milliseconds (bigint): what the log carries, exact, and 8 bytes. to_timestamp(time_ms / 1000.0) shows them.

create table users (
    user_key   bigint generated always as identity (cache 1) primary key,
    user_id    text not null unique,
    attributes jsonb,
    updated_at timestamptz not null default now()
);

create table items (
    item_key     bigint generated always as identity (cache 1) primary key,
    item_id      text not null unique,
    title        text not null default '',
    text         text,
    categories   text[] not null default '{}',
    attributes   jsonb,
    available    boolean not null default true,
    published_at timestamptz,
    withdrawn_at timestamptz,
    updated_at   timestamptz not null default now()
);

-- One row per event. The primary key is the event's identity (user, time, event id): it makes a redelivery or a producer's
-- retry a no-op, finds a person's newest events, and erases them. Wide columns first, so that no byte is lost to alignment.
create table interactions (
    user_key      bigint not null,
    item_key      bigint not null,
    time_ms       bigint not null,
    src_offset    bigint not null,   -- where in the log it came from: lets Redis be brought up to date from here
    event_uid     uuid not null,
    value         real,
    type          smallint not null,
    src_partition smallint not null,
    primary key (user_key, time_ms, event_uid)
) partition by range (time_ms);

-- Log order is insertion order, so a block-range index finds a gap of the log at almost no cost per row.
create index interactions_src on interactions using brin (src_offset) with (pages_per_range = 32, autosummarize = on);

-- Evidence per (user, item), folded from interactions. Weights are thousandths: integers add up the same in any order.
create table edges (
    user_key  bigint not null,
    item_key  bigint not null,
    weight    bigint not null,
    first_ms  bigint not null,
    last_ms   bigint not null,
    count     integer not null,
    last_type smallint not null,      -- of the newest event; of two at the same moment the larger code
    primary key (user_key, item_key)
) partition by hash (user_key);

-- Room on each page for an updated row keeps updates off the index (HOT).
create table edges_0 partition of edges for values with (modulus 8, remainder 0) with (fillfactor = 85);
create table edges_1 partition of edges for values with (modulus 8, remainder 1) with (fillfactor = 85);
create table edges_2 partition of edges for values with (modulus 8, remainder 2) with (fillfactor = 85);
create table edges_3 partition of edges for values with (modulus 8, remainder 3) with (fillfactor = 85);
create table edges_4 partition of edges for values with (modulus 8, remainder 4) with (fillfactor = 85);
create table edges_5 partition of edges for values with (modulus 8, remainder 5) with (fillfactor = 85);
create table edges_6 partition of edges for values with (modulus 8, remainder 6) with (fillfactor = 85);
create table edges_7 partition of edges for values with (modulus 8, remainder 7) with (fillfactor = 85);

-- How far each partition of each topic is consumed, and what became of its events: moved in the same transaction as their effect.
create table ingest_offsets (
    topic       text not null,
    partition   integer not null,
    next_offset bigint not null,
    applied     bigint not null default 0,
    duplicates  bigint not null default 0,
    lost        bigint not null default 0,   -- offsets the broker had dropped before they were read
    updated_at  timestamptz not null default now(),
    primary key (topic, partition)
) with (fillfactor = 50);

-- Per partition, so that transactions of different partitions never wait for each other here.
create table dead_letter_counts (
    topic     text not null,
    partition integer not null,
    reason    text not null,
    count     bigint not null,
    primary key (topic, partition, reason)
) with (fillfactor = 50);

-- Goes up with every erase: a writer whose cached keys are older must look them up again.
create table graph_epoch (epoch bigint not null);
insert into graph_epoch values (0);

-- Proofs of erasure. Nothing of the person but a hash of the id, which only who knows the id can check.
create table erasures (
    user_hash     text not null,
    erased_at     timestamptz not null,
    removed       jsonb not null,
    digest_before text not null,
    digest_after  text not null
);

-- Moves a partition's offset, or stops the transaction: SR001 when another consumer has moved it (a fenced zombie),
-- SR002 when the caller's cached keys are older than an erase. The shared lock keeps erases out until the commit.
create function ingest_advance(a_topic text, a_partition integer, a_expected bigint, a_next bigint, a_epoch bigint) returns void
language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(hashtextextended(current_schema() || '.graph_epoch', 0));
    if a_epoch is not null and (select epoch from graph_epoch) <> a_epoch then
        raise exception 'keys cached at epoch % are older than an erase', a_epoch using errcode = 'SR002';
    end if;
    update ingest_offsets set next_offset = a_next, updated_at = now()
     where topic = a_topic and partition = a_partition and next_offset = a_expected;
    if not found then
        raise exception 'offset of %/% is no longer %', a_topic, a_partition, a_expected using errcode = 'SR001';
    end if;
end $$;
