-- Archives: months of texts that are over leave the ledger as files, and their partitions are detached and dropped.

-- A detached month waits here until its grace is over; every catalog query of ours looks at public alone.
create schema detached;
grant usage on schema detached to gw_engine;

create table archived_month (
  parent text not null check (parent in ('message', 'provider_event')),
  month date not null check (extract(day from month) = 1),
  state text not null check (state in ('writing', 'written', 'detached', 'verified', 'dropped', 'kept')),
  cursor_id uuid not null,
  slices int not null default 0,
  texts bigint not null default 0,
  bytes bigint not null default 0,
  started_at timestamptz(3) not null default now(),
  written_at timestamptz(3),
  detached_at timestamptz(3),
  verified_at timestamptz(3),
  dropped_at timestamptz(3),
  primary key (parent, month)
);
comment on table archived_month is 'A monthly partition on its way out of the ledger; a month without a row here has not begun.';
comment on column archived_month.month is 'Its first day, UTC.';
comment on column archived_month.state is 'Its files are the truth from detached on, its partition before; kept: an operator attached it again.';
comment on column archived_month.cursor_id is 'The last id that was written, and once it is detached, that was verified; moves with the manifest.';
comment on column archived_month.slices is 'Slices written; the next is the n-th from 0.';
comment on column archived_month.texts is 'Texts of the month, counted again when its files were verified.';
comment on column archived_month.bytes is 'Bytes of its files, compressed.';

create table archive_chunk (
  id uuid primary key,
  org_id uuid not null,
  month date not null,
  n int not null,
  campaign_id uuid,
  after_id uuid not null,
  to_id uuid not null,
  first_id uuid not null,
  last_id uuid not null,
  key text not null unique,
  texts int not null check (texts > 0),
  events int not null,
  bytes int not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  states text[] not null,
  summary jsonb not null,
  purge_at timestamptz(3),
  purged_at timestamptz(3),
  unique nulls not distinct (month, n, org_id, campaign_id)
);
comment on table archive_chunk is 'One file of an archive: the texts of one campaign, or of none, in one slice of a month.';
comment on column archive_chunk.n is 'The slice of the month, from 0. Slices hold ids that no other slice holds.';
comment on column archive_chunk.campaign_id is 'Null: texts of no campaign.';
comment on column archive_chunk.after_id is 'The slice holds ids behind this one, up to to_id.';
comment on column archive_chunk.bytes is 'As it is stored, compressed.';
comment on column archive_chunk.sha256 is 'Of its lines before compression.';
comment on column archive_chunk.states is 'The states of its texts: what no text of it has need not be looked for.';
comment on column archive_chunk.summary is 'What a report counts of it: texts, costs, and those whose fate is unknown. No text, no number.';
comment on column archive_chunk.purge_at is 'From here on nobody reads it; its file is removed in the next round.';
create index archive_chunk_org on archive_chunk (org_id, to_id);
create index archive_chunk_campaign on archive_chunk (campaign_id, to_id) where campaign_id is not null;
create index archive_chunk_purge on archive_chunk (purge_at) where purge_at is not null and purged_at is null;

create table archived_conversation (
  conversation_id uuid not null,
  chunk_id uuid not null,
  org_id uuid not null,
  message_id uuid,
  try int,
  state text,
  delivery text,
  reason text,
  error_code int,
  segments int,
  primary key (conversation_id, chunk_id)
);
comment on table archived_conversation is 'Which files hold texts of a conversation, and what became of its last campaign text in each: the report of a campaign opens no file.';
comment on column archived_conversation.message_id is 'The last campaign text of the conversation in that file; null: none.';

create table campaign_archive (
  campaign_id uuid primary key,
  org_id uuid not null,
  archived_at timestamptz(3) not null default now(),
  purge_asked_at timestamptz(3),
  purge_asked_by text,
  purged_at timestamptz(3)
);
comment on table campaign_archive is 'A campaign of which every month is archived and verified.';
comment on column campaign_archive.purge_asked_at is 'From here on its texts are gone for everybody; files and detached rows follow.';
comment on column campaign_archive.purged_at is 'When the last file and the last detached row was gone.';

create table stored_object (
  key text collate "C" primary key,
  data bytea not null,
  stored_at timestamptz(3) not null default now()
);
comment on table stored_object is 'Files of archives, where no folder is configured. The manifest of an org leads to its keys.';
alter table stored_object alter column data set storage external;

create table housekeeping_report (
  id uuid primary key,
  job text not null check (job in ('housekeeping', 'archive')),
  started_at timestamptz(3) not null,
  finished_at timestamptz(3) not null default now(),
  done jsonb not null,
  held jsonb not null,
  problem text
);
comment on table housekeeping_report is 'What each round of housekeeping did, the newest thousand.';
comment on column housekeeping_report.done is 'How much of what, by name.';
comment on column housekeeping_report.held is 'Which partitions stay though they are old, and why.';

-- Takes a month out of the ledger. The engine has no right to change tables, so it is done here, under a lock that nobody
-- waits for: texts, reports and replies queue behind whoever waits for all of `message`. With a default partition
-- `detach … concurrently` is refused. Returns detached, busy (try again) or open (a text may still be sent or settled).
create function detach_month(parent text, month date) returns text language plpgsql
  security definer set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '300ms' as $$
declare
  child text := parent || '_' || to_char(month, 'YYYYMM');
  is_open boolean;
begin
  if parent not in ('message', 'provider_event') or extract(day from month) <> 1 then
    raise exception 'no such partition' using errcode = '22023';
  end if;
  if month + interval '1 month' > now() - interval '1 day' then
    raise exception '% is not over', child using errcode = '55000';
  end if;
  -- Another worker may have been faster.
  if exists (select from archived_month a where a.parent = detach_month.parent and a.month = detach_month.month and a.state in ('detached', 'verified', 'dropped')) then
    return 'detached';
  end if;
  if parent = 'message' and not exists (
    select from archived_month a where a.parent = 'message' and a.month = detach_month.month and a.state = 'written') then
    raise exception '% is not written', child using errcode = '55000';
  end if;
  execute format('lock table only %I, only %I, only %I in access exclusive mode', parent, child, parent || '_default');
  if parent = 'message' then
    execute format('select exists (select from %1$I where state = ''planned'') or exists (select from %1$I where state = ''sending'')
      or exists (select from %1$I where state = ''unknown'' and reconcile_at is not null)', child) into is_open;
    if is_open then return 'open'; end if;
  end if;
  execute format('alter table %I detach partition %I', parent, child);
  execute format('alter table %I set schema detached', child);
  execute format('grant select on detached.%I to gw_engine', child);
  insert into archived_month (parent, month, state, cursor_id, detached_at) values (parent, month, 'detached', uuid_floor(month), now())
  on conflict on constraint archived_month_pkey do update set state = 'detached', detached_at = now(), cursor_id = excluded.cursor_id;
  return 'detached';
exception when lock_not_available or undefined_table then
  return 'busy';
end $$;

-- Drops a detached month whose grace is over: of texts only what was verified since it was detached.
create function drop_month(parent text, month date, grace_days int) returns text language plpgsql
  security definer set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '300ms' as $$
declare
  child text := parent || '_' || to_char(month, 'YYYYMM');
begin
  if exists (select from archived_month a where a.parent = drop_month.parent and a.month = drop_month.month and a.state = 'dropped') then
    return 'dropped';
  end if;
  if not exists (
    select from archived_month a where a.parent = drop_month.parent and a.month = drop_month.month
       and a.state = case when a.parent = 'message' then 'verified' else 'detached' end
       and a.detached_at <= now() - grace_days * interval '1 day' for update) then
    raise exception '% is not to be dropped yet', child using errcode = '55000';
  end if;
  execute format('drop table detached.%I', child);
  update archived_month a set state = 'dropped', dropped_at = now() where a.parent = drop_month.parent and a.month = drop_month.month;
  return 'dropped';
exception when lock_not_available or undefined_table then
  return 'busy';
end $$;

-- For operators: puts a detached month back. Housekeeping leaves it alone until its state is set to 'written' again.
create function attach_month(parent text, month date) returns void language plpgsql set timezone = 'UTC' as $$
declare
  child text := parent || '_' || to_char(month, 'YYYYMM');
begin
  execute format('alter table detached.%I set schema public', child);
  execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, child,
    uuid_floor(month::timestamptz), uuid_floor((month + interval '1 month')::timestamptz));
  update archived_month a set state = 'kept', detached_at = null, verified_at = null
   where a.parent = attach_month.parent and a.month = attach_month.month;
end $$;

-- Rights: the engine archives; an org reads its own manifest and asks for a purge.
revoke all on function detach_month(text, date), drop_month(text, date, int), attach_month(text, date) from public;
grant execute on function detach_month(text, date), drop_month(text, date, int) to gw_engine;
do $$
declare t text;
begin
  foreach t in array array['archive_chunk', 'archived_conversation', 'campaign_archive'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy engine on %I to gw_engine using (true) with check (true)', t);
    execute format('create policy tenant on %I to gw_api using (org_id = current_org()) with check (org_id = current_org())', t);
  end loop;
end $$;
grant select, insert, update on archived_month, archive_chunk, archived_conversation, campaign_archive to gw_engine;
grant select, insert, update, delete on stored_object to gw_engine;
grant select, insert, delete on housekeeping_report to gw_engine;
grant select on archive_chunk, archived_conversation, campaign_archive, housekeeping_report to gw_api;
grant select (parent, month, state) on archived_month to gw_api;
grant update (purge_at) on archive_chunk to gw_api;
grant update (purge_asked_at, purge_asked_by) on campaign_archive to gw_api;
