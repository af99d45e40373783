-- Exports: texts as one file, written page by page by the engine and kept for some days.
create type export_state as enum ('queued', 'running', 'finished', 'failed', 'cancelled', 'expired');
alter type outbox_kind add value if not exists 'start_export';

create table export (
  id uuid primary key,
  org_id uuid not null references org,
  kind text not null check (kind in ('messages')),
  format text not null check (format in ('csv', 'ndjson')),
  campaign_id uuid references campaign,
  created_from timestamptz(3),
  created_to timestamptz(3),
  full_numbers boolean not null,
  state export_state not null default 'queued',
  problem text,
  cursor_id uuid not null default '00000000-0000-0000-0000-000000000000',
  rows_done bigint not null default 0,
  rows_expected bigint,
  chunks int not null default 0,
  bytes bigint not null default 0,
  cancel_requested boolean not null default false,
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  check (created_from < created_to)
);
comment on table export is 'A file of what there was when it was asked for: rows created later are not in it.';
comment on column export.created_from is 'Only rows created at this instant or later; null: from the first on.';
comment on column export.created_to is 'Only rows created before this instant; null: up to the export itself.';
comment on column export.full_numbers is 'Whether people''s numbers stand in the file in full: whoever asked for it, and whoever fetches it, may see them.';
comment on column export.cursor_id is 'The last row that was looked at; moves in the statement that writes the chunk.';
comment on column export.rows_expected is 'A guess from the counters, made when it began; null: nobody can say.';
comment on column export.chunks is 'Chunks written; the next is the n-th from 0.';
create index export_page on export (org_id, created_at desc, id desc);
create index export_expiry on export (finished_at) where state = 'finished';

create table export_chunk (
  export_id uuid not null references export,
  n int not null,
  org_id uuid not null,
  data bytea not null,
  primary key (export_id, n)
);
comment on table export_chunk is 'The bytes of an export, in order.';
alter table export_chunk alter column data set storage external;

-- Rights: an org asks for exports and cancels them; the engine writes their files.
do $$
declare t text;
begin
  foreach t in array array['export', 'export_chunk'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy engine on %I to gw_engine using (true) with check (true)', t);
    execute format('create policy tenant on %I to gw_api using (org_id = current_org()) with check (org_id = current_org())', t);
  end loop;
end $$;
grant select, insert, update, delete on export, export_chunk to gw_engine;
grant select, insert on export to gw_api;
grant update (state, cancel_requested, finished_at) on export to gw_api;
grant select on export_chunk to gw_api;
