-- The model registry. The row is the truth; messages about it are hints. One champion per model name, one running training at a time:
-- both are unique partial indexes, so no client can break them.

create sequence model_versions;

create table models (
    version     bigint primary key default nextval('model_versions'),
    name        text not null,
    status      text not null check (status in ('candidate', 'champion', 'retired', 'rejected', 'failed')),
    parent      bigint references models (version),
    digest      text not null,
    path        text not null,                              -- artifact directory
    manifest    jsonb not null,
    metrics     jsonb not null default '{}',
    created_at  timestamptz not null default now(),
    promoted_at timestamptz,                                -- newest promotion; kept when retired
    replaced    bigint references models (version)          -- the champion that promotion took over from: where a rollback goes
);

create unique index models_one_champion on models (name) where status = 'champion';

create table train_runs (
    run_id       uuid primary key,
    status       text not null check (status in ('requested', 'running', 'succeeded', 'rejected', 'failed', 'cancelled')),
    reason       text not null,
    requested_by text not null,
    fine_tune    boolean not null default false,
    requested_at timestamptz not null default now(),
    started_at   timestamptz,
    heartbeat_at timestamptz,                               -- a running row without a beat for long enough belongs to a dead trainer
    ended_at     timestamptz,
    claimed_by   text,
    stage        text not null default '',
    fraction     double precision not null default 0,
    metrics      jsonb not null default '{}',
    version      bigint references models (version),
    error        text
);

create unique index train_runs_one_running on train_runs ((true)) where status = 'running';
create index train_runs_waiting on train_runs (requested_at) where status = 'requested';

create table audit (
    id      bigint generated always as identity primary key,
    at      timestamptz not null default now(),
    who     text not null,
    action  text not null,
    subject text not null,
    detail  jsonb not null default '{}'
);
