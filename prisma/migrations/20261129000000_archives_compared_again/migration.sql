-- A month's files are compared once more before its rows are dropped: a state of its own, with the cursor begun anew.

alter table archived_month drop constraint archived_month_state_check;
alter table archived_month add constraint archived_month_state_check
  check (state in ('writing', 'written', 'detached', 'verified', 'dropping', 'dropped', 'kept'));
comment on column archived_month.state is 'Its files are the truth from detached on, its partition before; dropping: its files are compared a last time; kept: an operator attached it again.';
comment on column archived_month.cursor_id is 'The last id that was written, and once it is detached or dropping, that was compared; moves with the manifest.';
create index campaign_archive_purge on campaign_archive (purge_asked_at) where purge_asked_at is not null and purged_at is null;

-- As before, but that a partition which is missing is an error and not a lock that is busy.
create or replace function detach_month(parent text, month date) returns text language plpgsql
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
  if exists (select from archived_month a where a.parent = detach_month.parent and a.month = detach_month.month and a.state in ('detached', 'verified', 'dropping', 'dropped')) then
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
exception when lock_not_available then
  return 'busy';
when undefined_table then
  -- Another worker was faster while this one waited for the lock: its next look says so.
  if exists (select from archived_month a where a.parent = detach_month.parent and a.month = detach_month.month and a.detached_at is not null) then
    return 'busy';
  end if;
  raise;
end $$;

-- Drops a detached month whose grace is over: of texts only where every file was compared once more since then.
create or replace function drop_month(parent text, month date, grace_days int) returns text language plpgsql
  security definer set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '300ms' as $$
declare
  child text := parent || '_' || to_char(month, 'YYYYMM');
begin
  if exists (select from archived_month a where a.parent = drop_month.parent and a.month = drop_month.month and a.state = 'dropped') then
    return 'dropped';
  end if;
  if not exists (
    select from archived_month a where a.parent = drop_month.parent and a.month = drop_month.month
       and a.state = case when a.parent = 'message' then 'dropping' else 'detached' end
       and (a.parent <> 'message' or a.cursor_id = uuid_floor((a.month + interval '1 month')::timestamptz))
       and a.detached_at <= now() - grace_days * interval '1 day' for update) then
    raise exception '% is not to be dropped yet', child using errcode = '55000';
  end if;
  execute format('drop table detached.%I', child);
  update archived_month a set state = 'dropped', dropped_at = now() where a.parent = drop_month.parent and a.month = drop_month.month;
  -- What a comparison wrote while the files of a purge were removed goes with the next purge: from here on nobody writes.
  if parent = 'message' then
    update archive_chunk k set purged_at = null where k.month = drop_month.month and k.purged_at is not null;
  end if;
  return 'dropped';
exception when lock_not_available then
  return 'busy';
end $$;
