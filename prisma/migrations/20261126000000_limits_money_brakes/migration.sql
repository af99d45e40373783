-- Limits, money, brakes and safe mode: what keeps texts back, apart from the person's own word.

-- Frequency caps: one row a person, so that one row lock decides between fifty campaigns.
drop table contact_pace;
create table contact_pace (
  org_id uuid not null references org,
  address text not null,
  recent timestamptz(3)[] not null,
  primary key (org_id, address)
) with (fillfactor = 85);
comment on table contact_pace is 'When an org''s unasked texts to one person were claimed, over all campaigns; only where the org has a frequency cap.';
comment on column contact_pace.recent is 'The instants of the last seven days.';

alter table org
  add column texts_per_day int check (texts_per_day between 1 and 1000),
  add column texts_per_week int check (texts_per_week between 1 and 1000),
  add column sending_stopped_at timestamptz(3),
  add column sending_stopped_reason text;
comment on column org.texts_per_day is 'Unasked texts to one person in any 24 hours, over all campaigns; null: no cap.';
comment on column org.texts_per_week is 'Unasked texts to one person in any seven days, over all campaigns; null: no cap.';
comment on column org.sending_stopped_at is 'The org''s kill switch: while set, nothing of the org is claimed.';

alter table campaign
  add column busy_policy text not null default 'delay' check (busy_policy in ('send', 'delay', 'skip')),
  add column busy_minutes int not null default 60 check (busy_minutes between 1 and 10080),
  add column finish_by timestamptz(3),
  add column max_open_replies int check (max_open_replies between 1 and 1000000),
  add column brake_min_texts int not null default 200 check (brake_min_texts between 10 and 1000000),
  add column brake_failures double precision default 0.3 check (brake_failures > 0 and brake_failures <= 1),
  add column brake_opt_outs double precision default 0.15 check (brake_opt_outs > 0 and brake_opt_outs <= 1),
  add column brake_violations double precision default 0.05 check (brake_violations > 0 and brake_violations <= 1);
comment on column campaign.busy_policy is 'What happens to a first text while another campaign''s conversation with the person waits for an answer.';
comment on column campaign.busy_minutes is 'How long after its last text such a conversation counts as waiting, in minutes.';
comment on column campaign.finish_by is 'Texts are spread so that the last leaves about then, never faster than the limits; null: as fast as they allow.';
comment on column campaign.max_open_replies is 'First texts wait while so many conversations of the campaign wait for a person.';
comment on column campaign.brake_min_texts is 'A brake looks at this many texts at least.';
comment on column campaign.brake_failures is 'The part of texts that fail, from which on the campaign pauses itself; null: never.';
comment on column campaign.brake_opt_outs is 'Opt-outs per text, from which on the campaign pauses itself; null: never.';
comment on column campaign.brake_violations is 'The part of texts that carriers refuse as unwanted or unregistered, from which on the campaign pauses itself; null: never.';
alter table campaign_progress
  add column brake_mark jsonb,
  add column projected_finish_at timestamptz(3);
comment on column campaign_progress.projected_finish_at is 'When the last first text will leave as things stand, worked out every 20 s; null: nobody can say.';
create index conversation_waits_for_person on conversation (campaign_id) where state = 'needs_reply';
comment on column campaign_progress.brake_mark is 'The counters from which on the brakes look: of the launch, of the last calm look, or of the last resume.';

alter table budget
  add column spent_micros bigint not null default 0,
  add column updated_at timestamptz(3) not null default now(),
  add check (cap_micros >= 0);
alter table budget set (fillfactor = 50);
comment on table budget is 'A hard cap on what an org may spend. Reserved by the claim, in the statement that claims; settled by the outcome; what is unknown stays reserved.';
comment on column budget.reserved_micros is 'Texts on the wire or unknown.';
comment on column budget.spent_micros is 'Texts that the provider took.';
comment on column message.price_micros is 'What the text costs by the rate card of the day it was claimed, in millionths of the currency.';

alter type bucket_kind add value if not exists 'registration_day';
-- A sender's bucket holds one segment, a shared one a quarter of a second: what is due after a pause never bursts.
update permit_bucket set burst = case when kind = 'sender' then 1 else greatest(segments_per_second * 0.25, 1) end;
update permit_bucket set tokens = least(tokens, burst);

create table sender_load (
  sender_id uuid not null,
  minute timestamptz(3) not null,
  taken int not null default 0,
  passed_on int not null default 0,
  primary key (sender_id, minute)
) with (fillfactor = 50);
comment on table sender_load is 'Segments of one sender that the provider took in a minute, and how many of these the carrier has; what is between waits inside the provider.';

alter table provider_account
  add column lost_since timestamptz(3),
  add column lost_until timestamptz(3);
comment on column provider_account.lost_since is 'Since when texts may be missing from a restored database: while set, nothing is planned or claimed for this account.';

alter table deployment
  add column stopped_at timestamptz(3),
  add column stopped_reason text,
  add column safe_mode_at timestamptz(3),
  add column safe_mode_reason text,
  add column safe_mode_beat_at timestamptz(3),
  add column safe_mode_last_beat_at timestamptz(3),
  add column uid uuid not null default gen_random_uuid();
comment on column deployment.uid is 'Tells the mirrors of this deployment''s beat from those of another.';
comment on column deployment.safe_mode_last_beat_at is 'The last beat that a mirror remembered: until then texts may have been sent that are missing here.';
comment on column deployment.stopped_at is 'The deployment''s kill switch: while set, nothing is claimed.';
comment on column deployment.safe_mode_at is 'Since when the database is known to be older than what was sent from it: nothing is claimed until `recover` has run.';
comment on column deployment.safe_mode_beat_at is 'The last beat that this database remembered then: what happened later may be missing.';

-- Who a reply would go to, looked up by the person.
create index conversation_route_person on conversation_route (org_id, address);

-- Rights: an org sets its own limits, prices and budget.
alter table contact_pace enable row level security;
alter table contact_pace force row level security;
create policy engine on contact_pace to gw_engine using (true) with check (true);
create policy tenant on contact_pace to gw_api using (org_id = current_org());
grant select, insert, update, delete on contact_pace, sender_load to gw_engine;
grant select on contact_pace to gw_api;
create policy tenant_settings on org for update to gw_api using (id = current_org()) with check (id = current_org());
revoke insert, update on org from gw_api;
grant update (texts_per_day, texts_per_week, sending_stopped_at, sending_stopped_reason) on org to gw_api;
grant insert, update on rate_card to gw_api;
create policy tenant_add on rate_card for insert to gw_api with check (org_id = current_org());
create policy tenant_change on rate_card for update to gw_api using (org_id = current_org()) with check (org_id = current_org());
create unique index rate_card_own on rate_card (org_id, provider, country, channel, direction, valid_from) nulls not distinct;
revoke update on budget from gw_api;
grant update (cap_micros, currency, updated_at) on budget to gw_api;
create index registration_page on registration (org_id, created_at desc, id desc);
