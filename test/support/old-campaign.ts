import type { Database } from '../../db/client.ts';
import { causeId } from '../../db/ids.ts';

/** First instant of a month so many months before this one, UTC. */
export function monthsAgo(n: number): Date {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - n, 1));
}

/** `YYYY-MM-DD`. */
export function dateOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}

export interface OldCampaign {
  readonly orgId: string;
  readonly accountId: string;
  readonly campaignId: string;
  readonly launchedAt: Date;
  readonly finishedAt: Date;
  readonly people: number;
}

/** An id of an instant, from what causes it, in SQL: as derived ids are made, so that the same words make the same id. */
const idOf = (at: string, cause: string): string =>
  `(select (substr(uuid_floor(${at})::text, 1, 14) || '8' || substr(md5(${cause}), 1, 3) || '-8' || substr(md5(${cause}), 4, 3) || '-' || substr(md5(${cause}), 7, 12))::uuid)`;

/**
 * Makes a campaign that has ended an old one, of every kind of text: delivered, failed, refused, skipped, unknown, tried again;
 * replies of every tenth person two days later, which may be the next month, with an answer and what was answered to it; two
 * reports for each text that was taken.
 */
export async function addOldTexts(database: Database, campaign: OldCampaign): Promise<void> {
  const [first] = await database.query<{ at: Date }>(
    `select date_trunc('month', $1::timestamptz at time zone 'UTC') at time zone 'UTC' as at`,
    campaign.launchedAt,
  );
  await database.query(
    `select ensure_partitions($1::timestamptz::date, 3)::text as done`,
    first?.at ?? campaign.launchedAt,
  );
  const [org, account, id] = [campaign.orgId, campaign.accountId, campaign.campaignId].map(
    (each) => `'${each}'::uuid`,
  );
  const at = `'${campaign.launchedAt.toISOString()}'::timestamptz`;
  await database.query(
    `update campaign set state = 'finished', launched_at = ${at}, finished_at = $1::timestamptz where id = ${id} returning 1 as done`,
    campaign.finishedAt,
  );
  await database.query(
    `insert into campaign_progress (campaign_id, org_id, audience, frozen_at, resolved_start_mode) values (${id}, ${org}, ${campaign.people}, ${at}, 'first_reply') returning 1 as done`,
  );
  await database.query(
    `insert into zone_set (zones, places) values ('{America/New_York}', '{US-NY}') on conflict do nothing returning 1 as done`,
  );
  await database.query(
    `with p as (
       select i, ${idOf(at, `'contact' || ${id} || i`)} as contact_id, ${idOf(at, `'person' || ${id} || i`)} as id,
              '+1312' || lpad((('x' || substr(md5(${id}::text), 1, 4))::bit(16)::int * 100 + i)::text, 7, '0') as e164
         from generate_series(1, ${campaign.people}) i),
     z as (select min(id) as id from zone_set where zones = '{America/New_York}'),
     k as (
       insert into contact (id, org_id, e164, first_name, zone_set_id) select contact_id, ${org}, e164, 'Ada', z.id from p, z on conflict do nothing)
     insert into campaign_contact (id, campaign_id, org_id, contact_id, zone_set_id, seq, e164, merge)
     select p.id, ${id}, ${org}, contact_id, z.id, i, e164, '{"first_name":"Ada"}' from p, z returning 1 as done`,
  );
  // Every tenth text of each kind; what is not taken has no reports.
  await database.query(
    `insert into message (id, org_id, direction, purpose, state, delivery, priority, account_id, sender, address, campaign_id, conversation_id, contact_id, step,
                          body, encoding, segments, due_at, not_after, attempt, claimed_at, accepted_at, final_at, provider_message_id, error_code, reason, price_micros, currency, created_at)
     select ${idOf(at, `'text' || cc.id`)}, ${org}, 'outbound', 'campaign', k.state::message_state, k.delivery::delivery_status, 3, ${account}, '+12125550101', cc.e164,
            ${id}, cc.id, cc.contact_id, 'hello', 'Hi Ada, "will" you vote? \\ é 🗳 ' || cc.seq || E'\\nReply STOP to opt out.', 'ucs2', 1 + cc.seq % 3, ${at},
            ${at} + interval '1 hour', 1, ${at}, case when k.state = 'accepted' then ${at} + interval '1 s' end, ${at} + interval '2 s',
            case when k.state = 'accepted' then 'SM' || md5('sid' || cc.id) end, k.code, k.reason, case when k.state <> 'skipped' then 8300 * (1 + cc.seq % 3) end,
            case when k.state <> 'skipped' then 'USD' end, ${at} + cc.seq * interval '1 ms'
       from campaign_contact cc join lateral (
         select * from (values (0, 'accepted', 'delivered', null, null), (1, 'accepted', 'failed', 30003, null), (2, 'rejected', 'none', 21211, 'invalid-number'),
                               (3, 'skipped', 'none', null, 'opted_out'), (4, 'unknown', 'none', null, 'no_answer_recorded'), (5, 'lost', 'none', null, 'absent_at_provider'))
           k(n, state, delivery, code, reason) where k.n = case when cc.seq % 10 < 6 then cc.seq % 10 else 0 end) k on true
      where cc.campaign_id = ${id} returning 1 as done`,
  );
  await database.query(
    `insert into message (id, org_id, direction, purpose, state, delivery, priority, account_id, sender, address, campaign_id, conversation_id, contact_id, step, try, retry_of,
                          body, encoding, segments, due_at, not_after, attempt, claimed_at, accepted_at, final_at, provider_message_id, price_micros, currency, created_at)
     select ${idOf(at, `'again' || m.id`)}, org_id, direction, purpose, 'accepted', 'sent', priority, account_id, sender, address, campaign_id, conversation_id, contact_id, step,
            2, id, body, encoding, segments, due_at, not_after, 1, ${at}, ${at}, ${at}, 'SM' || md5('again' || m.id), price_micros, currency, ${at} + interval '1 min'
       from message m where campaign_id = ${id} and state = 'lost' returning 1 as done`,
  );
  const repliedAt = `(${at} + interval '2 days' + cc.seq * interval '1 s')`;
  await database.query(
    `with r as (select cc.*, ${repliedAt} as at from campaign_contact cc where cc.campaign_id = ${id} and cc.seq % 10 = 0 and cc.seq <= ${campaign.people}),
     v as (
       insert into conversation (id, org_id, kind, state, account_id, sender, address, contact_id, campaign_id, step, opened, arrival_seq, handled_seq, turn, last_in_at, created_at)
       select id, ${org}, 'campaign', 'closed', ${account}, '+12125550101', e164, contact_id, ${id}, null, true, 1, 1, 1, at, at from r),
     i as (
       insert into message (id, org_id, direction, purpose, state, priority, account_id, sender, address, campaign_id, conversation_id, contact_id, body, provider_message_id, arrival_seq, created_at)
       select ${idOf('cc.at', `'reply' || cc.id`)}, ${org}, 'inbound', 'inbound', 'received', 0, ${account}, '+12125550101', e164, ${id}, id, contact_id, 'Yes, "sure"', 'SM' || md5('in' || id), 1, at from r cc),
     a as (
       insert into answer_current (conversation_id, step, org_id, campaign_id, answer, inbound_id, at)
       select id, 'hello', ${org}, ${id}, 'yes', ${idOf('cc.at', `'reply' || cc.id`)}, at from r cc)
     insert into message (id, org_id, direction, purpose, state, delivery, priority, account_id, sender, address, campaign_id, conversation_id, contact_id, step, body, encoding, segments,
                          due_at, not_after, attempt, claimed_at, accepted_at, final_at, provider_message_id, price_micros, currency, created_at)
     select ${idOf('cc.at', `'answer' || cc.id`)}, ${org}, 'outbound', 'auto_reply', 'accepted', 'delivered', 1, ${account}, '+12125550101', e164, ${id}, id, contact_id, 'thanks', 'Thank you!',
            'gsm7', 1, at, at + interval '15 min', 1, at, at, at, 'SM' || md5('thanks' || id), 8300, 'USD', at from r cc returning 1 as done`,
  );
  await database.query(
    `insert into provider_event (id, at, org_id, account_id, message_id, kind, provider_message_id, status, error_code, detail)
     select ${idOf(`m.created_at + n * interval '1 s'`, `'event' || m.id || n`)}, m.created_at + n * interval '1 s', org_id, account_id, id, 'status', provider_message_id,
            case when n = 1 then 'sent' else delivery end::delivery_status, case when n = 2 then error_code end, jsonb_build_object('to', address)
       from message m cross join generate_series(1, 2) n where campaign_id = ${id} and state = 'accepted'
     returning 1 as done`,
  );
  await database.query(
    `insert into counter (campaign_id, kind, value, org_id, n)
     select campaign_id, 'state', state::text, org_id, count(*) from message where campaign_id = $1::uuid and direction = 'outbound' group by 1, 3, 4
      union all select campaign_id, 'reply', 'none', org_id, count(*) from message where campaign_id = $1::uuid and direction = 'inbound' group by 1, 4 returning 1 as done`,
    campaign.campaignId,
  );
}

/** A text that answers no campaign, from then, in a conversation with nobody in particular. */
export async function addStrayReply(
  database: Database,
  { orgId, accountId }: Pick<OldCampaign, 'orgId' | 'accountId'>,
  at: Date,
): Promise<{ readonly conversationId: string; readonly messageId: string }> {
  const conversationId = causeId(0, 'catch-all', accountId, at.getTime());
  const messageId = causeId(at.getTime(), 'stray', accountId);
  await database.query(
    `with v as (
       insert into conversation (id, org_id, kind, state, account_id, sender, address, arrival_seq, last_in_at, needs_reply_reason, created_at)
       values ($1::uuid, $3::uuid, 'catch_all', 'needs_reply', $4::uuid, '+12125550101', '+13125559999', 1, $5::timestamptz, 'no_campaign', $5::timestamptz))
     insert into message (id, org_id, direction, purpose, state, priority, account_id, sender, address, conversation_id, body, provider_message_id, arrival_seq, created_at)
     values ($2::uuid, $3::uuid, 'inbound', 'inbound', 'received', 0, $4::uuid, '+12125550101', '+13125559999', $1::uuid, 'who is this?', 'SM' || md5($1::text), 1, $5::timestamptz) returning 1 as done`,
    conversationId,
    messageId,
    orgId,
    accountId,
    at,
  );
  return { conversationId, messageId };
}

/** Lets days pass for what housekeeping looks at. */
export async function ageArchives(database: Database, days: number): Promise<void> {
  await database.query(
    `update archived_month set detached_at = detached_at - $1::int * interval '1 day', verified_at = verified_at - $1::int * interval '1 day' returning 1 as done`,
    days,
  );
  await database.query(
    `update campaign_archive set archived_at = archived_at - $1::int * interval '1 day' returning 1 as done`,
    days,
  );
}
