-- An event that reached the log before its person was erased must not bring the person back, however late it is read: a person made
-- anew carries the moment of the erasure (Unix milliseconds, by the log's clock), and older records are refused.
alter table users add column erased_ms bigint;

create index erasures_user on erasures (user_hash);

create function erased_ms(a_user_id text) returns bigint language sql stable as $$
    select max(extract(epoch from erased_at) * 1000)::bigint from erasures where user_hash = encode(sha256(convert_to(a_user_id, 'UTF8')), 'hex')
$$;
