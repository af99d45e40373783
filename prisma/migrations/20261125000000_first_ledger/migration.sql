-- The ledger. This file is the truth about the database; prisma/schema.prisma is generated from it.

-- Roles --------------------------------------------------------------------------------------
-- gw_engine: workers and webhook ingest; every statement names its org or account.
-- gw_api: HTTP requests; row-level security is forced, and sees one org at a time.
do $$
begin
  if not exists (select from pg_roles where rolname = 'gw_engine') then create role gw_engine nologin; end if;
  if not exists (select from pg_roles where rolname = 'gw_api') then create role gw_api nologin; end if;
end $$;

-- Kinds --------------------------------------------------------------------------------------
create type message_state as enum ('planned', 'sending', 'accepted', 'rejected', 'skipped', 'unknown', 'lost', 'received');
create type delivery_status as enum ('none', 'queued', 'sending', 'sent', 'undelivered', 'failed', 'canceled', 'delivered', 'read');
create type message_purpose as enum ('stop_confirmation', 'help', 'start_confirmation', 'auto_reply', 'human_reply', 'human_first', 'campaign', 'api', 'inbound');
create type message_driver as enum ('pool', 'conversation');
create type message_direction as enum ('outbound', 'inbound');
create type segment_encoding as enum ('gsm7', 'ucs2');
create type campaign_state as enum ('draft', 'checked', 'launched', 'running', 'paused', 'finished', 'cancelled');
create type campaign_start_mode as enum ('auto', 'first_text', 'first_reply');
create type unknown_policy as enum ('at_most_once', 'confirmed_absent', 'at_least_once');
create type import_state as enum ('queued', 'running', 'finished', 'failed', 'cancelled');
create type contact_state as enum ('active', 'invalid_number', 'landline', 'erased');
create type conversation_kind as enum ('campaign', 'catch_all');
create type conversation_state as enum ('automatic', 'needs_reply', 'closed');
create type suppression_scope as enum ('programme', 'org', 'platform');
create type bucket_kind as enum ('account', 'campaign', 'channel', 'org', 'registration', 'sender');
create type sender_state as enum ('active', 'held', 'stopped');
create type account_state as enum ('active', 'stopped');
create type outbox_kind as enum ('wake_campaign', 'wake_pool', 'ring_conversation', 'start_import');
create type event_kind as enum ('status', 'send_outcome', 'reconciled', 'skipped');

-- Organisations and access ---------------------------------------------------------------------
create table org (
  id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  created_at timestamptz(3) not null default now()
);
comment on table org is 'One tenant. Every other row belongs to exactly one org.';

create table member (
  id uuid primary key,
  org_id uuid not null references org,
  email text not null,
  name text not null,
  role text not null check (role in ('owner', 'admin', 'supervisor', 'texter', 'auditor')),
  suspended_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  unique (org_id, email)
);
comment on table member is 'A person of an org. Sign-in comes later; keys name the member who made them.';

create table api_key (
  id uuid primary key,
  org_id uuid not null references org,
  name text not null,
  prefix text not null,
  secret_sha256 bytea not null unique,
  scopes text[] not null,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  last_used_at timestamptz(3)
);
comment on table api_key is 'A bearer key of the HTTP API. Only its SHA-256 is kept: 256 random bits need no slow hash.';
comment on column api_key.prefix is 'The first characters, to recognise a key in a list.';
comment on column api_key.scopes is 'What the key may do; read, write, admin.';
create index api_key_org on api_key (org_id, created_at desc, id desc);

-- Providers, senders, pools ----------------------------------------------------------------------
create table provider_account (
  id uuid primary key,
  org_id uuid not null references org,
  provider text not null check (provider in ('twilio')),
  name text not null,
  account_sid text not null,
  auth_tokens_encrypted bytea not null,
  key_id text not null,
  base_url text,
  state account_state not null default 'active',
  state_reason text,
  gap_since timestamptz(3),
  gap_noticed_at timestamptz(3),
  inbound_seen_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  unique (org_id, provider, account_sid)
);
comment on table provider_account is 'An account at a carrier gateway. Its id stands in the webhook paths.';
comment on column provider_account.auth_tokens_encrypted is 'AES-256-GCM over a JSON array of tokens, primary first.';
comment on column provider_account.key_id is 'Which key encrypted the tokens, for rotation.';
comment on column provider_account.gap_since is 'Since when inbound texts may be missing. While set, and noticed less than five minutes ago, nothing is claimed for this account.';
comment on column provider_account.inbound_seen_at is 'The newest inbound text up to which the gap filler has read the list.';

create table sender_pool (
  id uuid primary key,
  org_id uuid not null references org,
  account_id uuid not null references provider_account,
  name text not null,
  awake boolean not null default false,
  created_at timestamptz(3) not null default now(),
  unique (org_id, name)
);
comment on table sender_pool is 'Senders that share the work of campaigns.';
comment on column sender_pool.awake is 'True from the moment somebody rang until the pool saw no due text: only the caller that turns it true has to ring.';

create table registration (
  id uuid primary key,
  org_id uuid not null references org,
  kind text not null check (kind in ('10dlc_campaign', '10dlc_brand', 'toll_free', 'short_code')),
  external_id text not null,
  segments_per_second numeric(10, 3),
  segments_per_day int,
  created_at timestamptz(3) not null default now()
);
comment on table registration is 'A carrier registration whose limits its senders share.';

create table sender (
  id uuid primary key,
  org_id uuid not null references org,
  account_id uuid not null references provider_account,
  pool_id uuid not null references sender_pool,
  registration_id uuid references registration,
  e164 text not null check (e164 ~ '^\+[1-9]\d{2,14}$'),
  segments_per_second numeric(10, 3) not null check (segments_per_second > 0),
  state sender_state not null default 'active',
  state_reason text,
  held_until timestamptz(3),
  created_at timestamptz(3) not null default now(),
  unique (account_id, e164)
);
comment on table sender is 'A number that texts are sent from. A sender belongs to one org and one pool.';
create index sender_pool_members on sender (pool_id);

create table permit_bucket (
  kind bucket_kind not null,
  ref_id uuid not null,
  segments_per_second double precision not null check (segments_per_second > 0),
  burst double precision not null check (burst > 0),
  factor double precision not null default 1 check (factor > 0 and factor <= 1),
  tokens double precision not null,
  refilled_at timestamptz(6) not null default clock_timestamp(),
  primary key (kind, ref_id)
) with (fillfactor = 20);
comment on table permit_bucket is 'Token buckets of segments. A bucket grants while it holds more than 0 and may go into debt by one text.';
comment on column permit_bucket.factor is 'What is left of the rate after the provider asked us to slow down; climbs back to 1.';

-- Contacts ----------------------------------------------------------------------------------------
create table zone_set (
  id int generated always as identity primary key,
  zones text[] not null unique
);
comment on table zone_set is 'A set of IANA zones that a person may be in; texting hours must hold in each.';

create table contact (
  id uuid primary key,
  org_id uuid not null references org,
  e164 text check (e164 ~ '^\+[1-9]\d{6,14}$'),
  external_id text,
  first_name text not null default '',
  last_name text not null default '',
  postcode text,
  country char(2),
  fields jsonb not null default '{}',
  zone_set_id int not null references zone_set,
  state contact_state not null default 'active',
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  unique (org_id, e164),
  unique (org_id, external_id)
);
comment on table contact is 'A person, once per org.';
comment on column contact.fields is 'Extra merge fields from imports, by snake_case name.';
create index contact_page on contact (org_id, created_at desc, id desc);

create table contact_list (
  id uuid primary key,
  org_id uuid not null references org,
  name text not null,
  created_at timestamptz(3) not null default now()
);
comment on table contact_list is 'A named list that imports fill and campaigns text.';
create index contact_list_page on contact_list (org_id, created_at desc, id desc);

create table blob (
  org_id uuid not null references org,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  upload_id uuid not null unique,
  size bigint not null,
  created_at timestamptz(3) not null default now(),
  primary key (org_id, sha256)
);
comment on table blob is 'Content-addressed files: uploads, media.';

create table blob_chunk (
  upload_id uuid not null,
  n int not null,
  org_id uuid not null references org,
  data bytea not null,
  created_at timestamptz(3) not null default now(),
  primary key (upload_id, n)
);
comment on table blob_chunk is 'The bytes of a blob, or of an upload that has not become one yet.';
alter table blob_chunk alter column data set storage external;

create table import (
  id uuid primary key,
  org_id uuid not null references org,
  list_id uuid not null references contact_list,
  blob_sha256 text not null,
  file_name text not null,
  default_country char(2) not null,
  state import_state not null default 'queued',
  problem text,
  problem_row int,
  mapping jsonb,
  cursor_row int not null default 0,
  cursor_byte bigint not null default 0,
  total_bytes bigint not null,
  cancel_requested boolean not null default false,
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  unique (list_id, blob_sha256)
);
comment on table import is 'One file going into one list. The same file into the same list is the same import.';
comment on column import.cursor_row is 'Data rows already decided; moves in the transaction that writes their verdicts.';
comment on column import.cursor_byte is 'Where the next row begins in the file.';
create index import_page on import (org_id, created_at desc, id desc);

create table contact_list_member (
  list_id uuid not null references contact_list,
  contact_id uuid not null references contact,
  org_id uuid not null,
  import_id uuid not null references import,
  row_no int not null,
  primary key (list_id, contact_id)
);
comment on table contact_list_member is 'The verdict "accepted": this row of this import put this person on the list.';
create index contact_list_member_import on contact_list_member (import_id, row_no);

create table import_reject (
  import_id uuid not null references import,
  row_no int not null,
  org_id uuid not null,
  reason text not null,
  detail text not null,
  duplicate_of int,
  primary key (import_id, row_no)
);
comment on table import_reject is 'The verdict of every row that put nobody on the list.';
comment on column import_reject.duplicate_of is 'The row of the same file that already put this person on the list.';

-- Suppression and consent -------------------------------------------------------------------------
create table suppression (
  id uuid primary key,
  org_id uuid references org,
  scope suppression_scope not null,
  programme text,
  address text not null,
  reason text not null,
  source text not null,
  evidence_message_id uuid,
  created_at timestamptz(3) not null default now(),
  lifted_at timestamptz(3),
  lifted_by text,
  check ((scope = 'platform') = (org_id is null)),
  check ((scope = 'programme') = (programme is not null))
);
comment on table suppression is 'Who must not be texted, by whom, since when and on what evidence. Lifted, never deleted.';
comment on column suppression.source is 'reply, provider, api, import or person.';
create unique index suppression_active on suppression (address, org_id, scope, programme) nulls not distinct where lifted_at is null;
create index suppression_page on suppression (org_id, created_at desc, id desc);

create table consent (
  id uuid primary key,
  org_id uuid not null references org,
  address text not null,
  kind text not null check (kind in ('given', 'revoked')),
  source text not null,
  evidence text not null,
  at timestamptz(3) not null default now()
);
comment on table consent is 'Evidence of consent, kept longer than the messages.';
create index consent_address on consent (org_id, address, at);

create table contact_pace (
  org_id uuid not null,
  address text not null,
  day date not null,
  texts int not null default 0,
  primary key (org_id, address, day)
);
comment on table contact_pace is 'Texts a day to one person over all campaigns, for frequency caps.';

-- Scripts and campaigns ------------------------------------------------------------------------------
create table script (
  id uuid primary key,
  org_id uuid not null references org,
  name text not null,
  created_at timestamptz(3) not null default now()
);
comment on table script is 'A conversation script; what is said stands in its versions.';
create index script_page on script (org_id, created_at desc, id desc);

create table script_version (
  id uuid primary key,
  script_id uuid not null references script,
  org_id uuid not null,
  version int not null,
  graph jsonb not null,
  created_at timestamptz(3) not null default now(),
  unique (script_id, version)
);
comment on table script_version is 'An immutable version of a script, checked when it was saved.';

create table campaign (
  id uuid primary key,
  org_id uuid not null references org,
  name text not null,
  state campaign_state not null default 'draft',
  fence int not null default 0,
  list_id uuid not null references contact_list,
  script_version_id uuid not null references script_version,
  pool_id uuid not null references sender_pool,
  account_id uuid not null references provider_account,
  programme text,
  start_mode campaign_start_mode not null default 'auto',
  unknown_policy unknown_policy not null default 'confirmed_absent',
  hours_start_minute int not null default 540 check (hours_start_minute between 0 and 1439),
  hours_end_minute int not null default 1200 check (hours_end_minute between 1 and 1440),
  hours_days int[] not null default '{1,2,3,4,5,6}',
  hours_blackout date[] not null default '{}',
  auto_reply_in_hours_only boolean not null default false,
  segments_per_second double precision check (segments_per_second > 0),
  reply_window_s int not null default 259200 check (reply_window_s between 1 and 2592000),
  starts_at timestamptz(3),
  launched_at timestamptz(3),
  paused_from campaign_state,
  replies_closed_at timestamptz(3),
  finished_at timestamptz(3),
  state_reason text,
  created_at timestamptz(3) not null default now()
);
comment on table campaign is 'A campaign. Only its state statement writes this row once it is launched.';
comment on column campaign.fence is 'Raised with every change of state; a claim made under another fence is void.';
comment on column campaign.hours_start_minute is 'Minutes after local midnight.';
comment on column campaign.hours_days is 'ISO weekdays, Monday is 1.';
comment on column campaign.segments_per_second is 'The campaign''s own limit; null: the pool''s.';
comment on column campaign.reply_window_s is 'How long after the last text a reply is still waited for, in seconds.';
comment on column campaign.replies_closed_at is 'When an admin said that no more replies are waited for.';
create index campaign_page on campaign (org_id, created_at desc, id desc);
create index campaign_pool on campaign (pool_id) where state in ('launched', 'running', 'paused');

create table campaign_progress (
  campaign_id uuid primary key references campaign,
  org_id uuid not null,
  audience int not null default 0,
  left_out jsonb not null default '{}',
  resolved_start_mode campaign_start_mode,
  frozen_at timestamptz(3),
  planned_all_at timestamptz(3),
  last_text_at timestamptz(3),
  refreshed_at timestamptz(3)
);
comment on table campaign_progress is 'What the engine notes about a campaign, apart from the campaign row that claims read.';
comment on column campaign_progress.left_out is 'People of the list who are not in the audience, counted by reason.';

create table campaign_cursor (
  campaign_id uuid not null references campaign,
  wave smallint not null default 0,
  zone_set_id int not null references zone_set,
  org_id uuid not null,
  next_seq int not null default 1,
  size int not null,
  opens_at timestamptz(3),
  closes_at timestamptz(3),
  no_legal_hour boolean not null default false,
  primary key (campaign_id, wave, zone_set_id)
);
comment on table campaign_cursor is 'How far the planning of a campaign has come, a row per zone set.';

create table campaign_contact (
  id uuid primary key,
  campaign_id uuid not null references campaign,
  org_id uuid not null,
  contact_id uuid not null references contact,
  zone_set_id int not null,
  seq int not null,
  e164 text not null,
  merge jsonb not null,
  unique (campaign_id, contact_id),
  unique (campaign_id, zone_set_id, seq)
);
comment on table campaign_contact is 'The frozen audience: one person of one campaign, with the merge fields of that moment.';
comment on column campaign_contact.seq is 'Dense from 1 within the zone set.';

-- Conversations -------------------------------------------------------------------------------------
create table conversation (
  id uuid primary key,
  org_id uuid not null references org,
  kind conversation_kind not null,
  state conversation_state not null default 'automatic',
  account_id uuid not null,
  sender_id uuid,
  sender text not null default '',
  address text not null,
  contact_id uuid,
  campaign_id uuid,
  script_version_id uuid,
  step text,
  visits int not null default 0,
  arrival_seq int not null default 0,
  handled_seq int not null default 0,
  turn int not null default 0,
  waits_for_message_id uuid,
  opened boolean not null default false,
  needs_reply_reason text,
  last_in_at timestamptz(3),
  last_out_at timestamptz(3),
  closes_at timestamptz(3),
  closed_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  check (handled_seq <= arrival_seq)
);
comment on table conversation is 'One person talking with one campaign (then the id is the campaign contact''s), or with nobody in particular (catch_all).';
comment on column conversation.arrival_seq is 'Texts that came in; the n-th carries n.';
comment on column conversation.handled_seq is 'The last of them that a turn has dealt with.';
comment on column conversation.turn is 'Raised by every turn: a turn that read an older one writes nothing.';
comment on column conversation.step is 'Where the script stands, null when it has not begun or is over.';
comment on column conversation.opened is 'Whether the script''s first text belongs to this conversation.';
create index conversation_page on conversation (org_id, created_at desc, id desc);
create index conversation_needs_reply on conversation (org_id, last_in_at) where state = 'needs_reply';
create index conversation_open on conversation (campaign_id) where state = 'automatic';
create index conversation_waiting on conversation (waits_for_message_id) where waits_for_message_id is not null;

create table conversation_route (
  account_id uuid not null,
  sender text not null,
  address text not null,
  org_id uuid not null,
  conversation_id uuid not null,
  last_out_at timestamptz(3) not null,
  primary key (account_id, sender, address)
) with (fillfactor = 85);
comment on table conversation_route is 'Which conversation a reply from this person to this sender belongs to: the last one that texted.';

-- The ledger ------------------------------------------------------------------------------------------
create table message (
  id uuid not null,
  org_id uuid not null,
  direction message_direction not null,
  channel text not null default 'sms',
  purpose message_purpose not null,
  state message_state not null,
  delivery delivery_status not null default 'none',
  driver message_driver not null default 'pool',
  priority smallint not null,
  account_id uuid not null,
  pool_id uuid,
  sender_id uuid,
  sender text,
  address text not null,
  campaign_id uuid,
  conversation_id uuid,
  contact_id uuid,
  programme text,
  step text,
  wave smallint not null default 0,
  try smallint not null default 1,
  retry_of uuid,
  body text not null,
  media text[] not null default '{}',
  encoding segment_encoding,
  segments smallint,
  due_at timestamptz(3),
  not_after timestamptz(3),
  attempt int not null default 0,
  claimed_at timestamptz(3),
  lease_until timestamptz(3),
  accepted_at timestamptz(3),
  final_at timestamptz(3),
  provider_message_id text,
  error_code int,
  reason text,
  reconcile_at timestamptz(3),
  reconcile_reads smallint not null default 0,
  reconcile_looks int not null default 0,
  arrival_seq int,
  provider_keyword text,
  price_micros bigint,
  currency char(3),
  price_source text,
  actor text,
  created_at timestamptz(3) not null default now(),
  primary key (id),
  check ((direction = 'inbound') = (state = 'received')),
  check ((state = 'skipped') <= (reason is not null)),
  check ((state = 'sending') <= (lease_until is not null and sender is not null)),
  check ((state = 'accepted') <= (provider_message_id is not null)),
  check (direction = 'inbound' or (segments is not null and due_at is not null and not_after is not null))
) partition by range (id);
comment on table message is 'Every text, in and out. An outbound id is derived from its cause, so the same cause planned twice meets the same row.';
comment on column message.delivery is 'What the carrier says; only ever rises. In no index and no predicate: updates stay HOT.';
comment on column message.driver is 'Who sends it: the pool''s batches, or the conversation''s workflow.';
comment on column message.priority is '0 is first.';
comment on column message.sender is 'The number it goes out from (or came in to); set at the claim where it was free.';
comment on column message.address is 'The other side: the person''s number.';
comment on column message.not_after is 'The text must not leave later than this.';
comment on column message.attempt is 'Claims so far; a record made for an older claim changes nothing.';
comment on column message.lease_until is 'After this a row still in sending is for reconcile, never for another POST.';
comment on column message.reconcile_reads is 'Complete reads of the provider''s list that did not show the text.';
comment on column message.reconcile_looks is 'All looks for the text; the pauses between them grow with it.';
comment on column message.reason is 'Why it was skipped, rejected or is unknown.';
comment on column message.price_micros is 'Millionths of the currency.';
-- The pool''s lanes: rows whose sender is fixed, and rows that any sender of the pool may take.
create index message_sender_lane on message (sender_id, priority, due_at, id) where state = 'planned' and driver = 'pool' and sender_id is not null;
create index message_campaign_lane on message (campaign_id, due_at, id) where state = 'planned' and campaign_id is not null;
create index message_person_open on message (org_id, address) where state in ('planned', 'sending');
create index message_conversation on message (conversation_id, id) where conversation_id is not null;
create index message_campaign_page on message (campaign_id, id) where campaign_id is not null and direction = 'outbound';
create index message_lease on message (lease_until) where state = 'sending';
-- A text that its conversation should have sent: looked for by time, when the workflow is gone.
create index message_stranded on message (due_at) where state = 'planned' and driver = 'conversation';
create index message_expiry on message (not_after) where state = 'planned';
create index message_reconcile on message (reconcile_at) where state = 'unknown';

create table provider_event (
  id uuid not null,
  at timestamptz(3) not null default now(),
  org_id uuid not null,
  account_id uuid not null,
  message_id uuid,
  kind event_kind not null,
  provider_message_id text,
  status delivery_status,
  error_code int,
  detail jsonb not null default '{}',
  primary key (id)
) partition by range (id);
comment on table provider_event is 'Append-only: delivery reports as they came, and every outcome of an attempt that was not a plain 201.';
create index provider_event_message on provider_event (message_id, id) where message_id is not null;

create table audit_log (
  id uuid not null,
  at timestamptz(3) not null default now(),
  org_id uuid not null,
  actor text not null,
  action text not null,
  object_kind text not null,
  object_id uuid not null,
  detail jsonb not null default '{}',
  primary key (id)
) partition by range (id);
comment on table audit_log is 'Who changed what. Insert only.';
create index audit_log_page on audit_log (org_id, id desc);

-- Ids begin with 48 bits of milliseconds, so a range of ids is a range of time.
create function uuid_floor(at timestamptz) returns uuid language sql immutable strict as $$
  select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

create function ensure_partitions(from_month date, months int) returns void language plpgsql
  security definer set search_path = public set timezone = 'UTC' as $$
declare
  parent text; month date; child text;
begin
  foreach parent in array array['message', 'provider_event', 'audit_log'] loop
    for i in 0..months - 1 loop
      month := (date_trunc('month', from_month) + make_interval(months => i))::date;
      child := parent || '_' || to_char(month, 'YYYYMM');
      if to_regclass(child) is null then
        execute format('create table %I partition of %I for values from (%L) to (%L) with (fillfactor = 85)', child, parent,
          uuid_floor(month::timestamptz), uuid_floor((month + interval '1 month')::timestamptz));
      end if;
    end loop;
  end loop;
end $$;
create table message_default partition of message default with (fillfactor = 85);
create table provider_event_default partition of provider_event default;
create table audit_log_default partition of audit_log default;
select ensure_partitions((now() - interval '1 month')::date, 5);

create table inbound_key (
  account_id uuid not null,
  provider_message_id text not null,
  message_id uuid not null,
  primary key (account_id, provider_message_id)
);
comment on table inbound_key is 'Uniqueness of inbound texts over all partitions: stored exactly once.';

create table provider_key (
  account_id uuid not null,
  provider_message_id text not null,
  message_id uuid not null,
  primary key (account_id, provider_message_id)
);
comment on table provider_key is 'Which ledger row a provider''s text belongs to, over all partitions.';

create table quarantine (
  id uuid primary key,
  account_id uuid not null,
  kind text not null,
  raw bytea not null,
  problem text not null,
  at timestamptz(3) not null default now()
);
comment on table quarantine is 'Webhook bodies that could not be stored as what they are; kept raw for a person to look at.';

-- Answers -----------------------------------------------------------------------------------------------
create table answer_event (
  id uuid primary key,
  org_id uuid not null,
  campaign_id uuid,
  conversation_id uuid not null,
  contact_id uuid,
  script_version_id uuid not null,
  step text not null,
  visit int not null,
  answer text not null,
  inbound_id uuid not null,
  at timestamptz(3) not null default now()
);
comment on table answer_event is 'Every answer to a script question, in the order given.';
create index answer_event_campaign on answer_event (campaign_id, at);

create table answer_current (
  conversation_id uuid not null,
  step text not null,
  org_id uuid not null,
  campaign_id uuid,
  answer text not null,
  inbound_id uuid not null,
  at timestamptz(3) not null,
  primary key (conversation_id, step)
);
comment on table answer_current is 'The last answer to each question of a conversation.';
create index answer_current_campaign on answer_current (campaign_id, step, answer);

create table tagging (
  conversation_id uuid not null,
  tag text not null,
  org_id uuid not null,
  at timestamptz(3) not null default now(),
  primary key (conversation_id, tag)
);
comment on table tagging is 'Tags that a script''s answers put on a conversation.';

-- Money ---------------------------------------------------------------------------------------------------
create table rate_card (
  id uuid primary key,
  org_id uuid references org,
  provider text not null,
  country char(2),
  channel text not null default 'sms',
  direction message_direction not null,
  price_micros bigint not null,
  currency char(3) not null,
  source text not null,
  valid_from date not null
);
comment on table rate_card is 'What a segment costs; the row with the org beats the one without, the country beats none, the later beats the earlier.';
insert into rate_card (id, provider, country, direction, price_micros, currency, source, valid_from) values
  ('00000000-0000-8000-8000-000000000001', 'twilio', 'US', 'outbound', 8300, 'USD', 'list price without carrier fees; check your contract', '2025-01-01'),
  ('00000000-0000-8000-8000-000000000002', 'twilio', 'CA', 'outbound', 8300, 'USD', 'list price without carrier fees; check your contract', '2025-01-01'),
  ('00000000-0000-8000-8000-000000000003', 'twilio', null, 'outbound', 80000, 'USD', 'a high guess for other countries', '2025-01-01');

create table budget (
  org_id uuid primary key references org,
  cap_micros bigint not null,
  reserved_micros bigint not null default 0,
  currency char(3) not null
);
comment on table budget is 'A hard cap on what an org may spend; reserved once per claim.';

-- Counters --------------------------------------------------------------------------------------------------
create table counter_delta (
  id bigint generated always as identity primary key,
  org_id uuid not null,
  campaign_id uuid not null,
  kind text not null,
  value text not null,
  n int not null,
  at timestamptz(3) not null default now()
);
comment on table counter_delta is 'Changes of counters, written by the statement that makes the transition; folded into counter from time to time.';
comment on column counter_delta.kind is 'state, delivery, reply, answer or optout.';
create index counter_delta_campaign on counter_delta (campaign_id);

create table counter (
  campaign_id uuid not null,
  kind text not null,
  value text not null,
  org_id uuid not null,
  n bigint not null,
  primary key (campaign_id, kind, value)
);
comment on table counter is 'Folded counters; the truth is counter plus the deltas not yet folded.';

-- Plumbing ----------------------------------------------------------------------------------------------------
create table outbox (
  kind outbox_kind not null,
  ref_id uuid not null,
  seq int not null default 1,
  available_at timestamptz(3) not null default now(),
  attempts int not null default 0,
  created_at timestamptz(3) not null default now(),
  primary key (kind, ref_id)
) with (fillfactor = 70);
comment on table outbox is 'Doorbells still to be rung in Temporal: at most one row per workflow, rung until Temporal took it.';
comment on column outbox.seq is 'Raised by every further ring; a relay deletes only the row whose seq it rang.';
create index outbox_due on outbox (available_at);

create table idempotency_key (
  org_id uuid not null,
  key text not null,
  request_sha256 text not null,
  status int,
  response jsonb,
  created_at timestamptz(3) not null default now(),
  primary key (org_id, key)
);
comment on table idempotency_key is 'First answers to POSTs that carried an Idempotency-Key. No status yet: the first request is still running or died.';
create index idempotency_key_age on idempotency_key (created_at);

create table deployment (
  id int primary key check (id = 1),
  epoch int not null default 1,
  beat_at timestamptz(3) not null default now()
);
comment on table deployment is 'One row: the engine''s heartbeat, by which an outage is noticed afterwards.';
insert into deployment (id) values (1);

-- Rights --------------------------------------------------------------------------------------------------------
grant usage on schema public to gw_engine, gw_api;
grant select, insert, update, delete on all tables in schema public to gw_engine;
revoke update, delete on audit_log from gw_engine;
grant select, insert, update on all tables in schema public to gw_api;
revoke insert, update on counter, counter_delta, deployment, provider_event, inbound_key, provider_key, quarantine, rate_card, conversation_route, permit_bucket from gw_api;
grant insert, update on permit_bucket to gw_api;
revoke update on audit_log, answer_event from gw_api;
revoke insert, update on zone_set from gw_api;
do $$ begin
  if to_regclass('_prisma_migrations') is not null then revoke all on _prisma_migrations from gw_api, gw_engine; end if;
end $$;
grant delete on idempotency_key, blob_chunk to gw_api;
grant usage on all sequences in schema public to gw_engine;
grant execute on function ensure_partitions(date, int) to gw_engine;

-- Row-level security: gw_engine passes by policy; gw_api sees the org that its transaction named.
create function current_org() returns uuid language sql stable as $$
  select nullif(current_setting('app.org', true), '')::uuid
$$;
do $$
declare t text;
begin
  foreach t in array array['member', 'api_key', 'provider_account', 'sender_pool', 'registration', 'sender', 'contact',
    'contact_list', 'blob', 'blob_chunk', 'import', 'contact_list_member', 'import_reject', 'consent', 'contact_pace',
    'script', 'script_version', 'campaign', 'campaign_progress', 'campaign_cursor', 'campaign_contact', 'conversation',
    'conversation_route', 'message', 'provider_event', 'audit_log', 'answer_event', 'answer_current', 'tagging', 'budget',
    'counter', 'counter_delta', 'idempotency_key'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy engine on %I to gw_engine using (true) with check (true)', t);
    execute format('create policy tenant on %I to gw_api using (org_id = current_org()) with check (org_id = current_org())', t);
  end loop;
  foreach t in array array['suppression', 'rate_card'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy engine on %I to gw_engine using (true) with check (true)', t);
  end loop;
end $$;
create policy tenant_read on suppression for select to gw_api using (org_id = current_org());
create policy tenant_add on suppression for insert to gw_api with check (org_id = current_org() and scope <> 'platform');
create policy tenant_lift on suppression for update to gw_api using (org_id = current_org()) with check (org_id = current_org());
create policy tenant_read on rate_card for select to gw_api using (org_id is null or org_id = current_org());
alter table org enable row level security;
alter table org force row level security;
create policy engine on org to gw_engine using (true) with check (true);
create policy tenant on org for select to gw_api using (id = current_org());
-- Row security of a partitioned table does not guard its partitions: only the parent may be named.
do $$
declare child text;
begin
  for child in select relname from pg_class where relispartition and relkind = 'r' and relnamespace = 'public'::regnamespace loop
    execute format('revoke all on %I from gw_api', child);
  end loop;
end $$;
revoke all on quarantine, deployment, inbound_key, provider_key from gw_api;
grant select on deployment to gw_api;
