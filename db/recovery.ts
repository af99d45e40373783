/** What a restored database has to learn again from the provider's lists. */
import type { Database } from './client.ts';

/** A text in the provider's list of which this database does not know. */
export interface ListedText {
  readonly pid: string;
  /** Our number. */
  readonly sender: string;
  /** The person's number. */
  readonly address: string;
  readonly body: string;
  readonly created_at: string;
  readonly status: string;
  readonly code: number | null;
}

/**
 * Which ledger rows listed texts are, one to one by person, body and order: rows that were planned or on the
 * wire in the backup, or planned since by a turn.
 */
const MATCH = `
with t as (
  select *, row_number() over (partition by address, body order by created_at, pid) as nth
    from jsonb_to_recordset($2::jsonb) t(pid text, sender text, address text, body text, created_at timestamptz)),
r as (
  select m.id, m.address, m.body, m.sender, row_number() over (partition by m.address, m.body order by m.id) as nth
    from message m join provider_account a on a.id = $1::uuid and a.org_id = m.org_id
   where m.account_id = $1::uuid and m.state in ('planned', 'sending') and m.address in (select address from t)
   union all
  select m.id, m.address, m.body, m.sender, row_number() over (partition by m.address, m.body order by m.id)
    from message m where m.account_id = $1::uuid and m.state = 'unknown' and m.address in (select address from t)),
matched as (
  select distinct on (t.pid) t.pid, r.id, t.sender from t join r on r.address = t.address and r.body = t.body and r.nth = t.nth
   where r.sender is null or r.sender = t.sender order by t.pid, r.id),
seated as (
  update message m set sender = x.sender, sender_id = s.id from matched x left join sender s on s.account_id = $1::uuid and s.e164 = x.sender
   where m.id = x.id and m.sender is null)
select pid, id from matched`;

export async function matchListedTexts(
  database: Database,
  accountId: string,
  texts: readonly ListedText[],
): Promise<Map<string, string>> {
  const rows = await database.query<{ pid: string; id: string }>(
    MATCH,
    accountId,
    JSON.stringify(texts),
  );
  return new Map(rows.map((row) => [row.pid, row.id]));
}

/** Which message ids delivery reports named for these texts: reports come in while nothing is sent. */
export async function findReportedIds(
  database: Database,
  accountId: string,
  lookup: { readonly pids: readonly string[]; readonly since: Date },
): Promise<Map<string, string>> {
  const rows = await database.query<{ pid: string; message_id: string }>(
    `select distinct on (provider_message_id) provider_message_id as pid, coalesce(message_id, (detail->>'named')::uuid) as message_id from provider_event
      where account_id = $1::uuid and provider_message_id = any($2::text[]) and (message_id is not null or detail ? 'named') and id >= uuid_floor($3::timestamptz)
      order by provider_message_id, id`,
    accountId,
    lookup.pids,
    lookup.since,
  );
  return new Map(rows.map((row) => [row.pid, row.message_id]));
}

/** A person of a running campaign's audience who may have got a listed text as their first one. */
export interface AudienceCandidate {
  readonly pid: string;
  readonly id: string;
  readonly contact_id: string;
  readonly e164: string;
  readonly merge: Record<string, unknown>;
  readonly campaign_id: string;
  readonly launched_at: Date;
  readonly script_version_id: string;
  readonly graph: unknown;
}

export async function findAudienceOf(
  database: Database,
  accountId: string,
  texts: readonly ListedText[],
): Promise<AudienceCandidate[]> {
  return database.query<AudienceCandidate>(
    `select t.pid, p.id, p.contact_id, p.e164, p.merge, c.id as campaign_id, c.launched_at, c.script_version_id, v.graph
       from jsonb_to_recordset($2::jsonb) t(pid text, address text, created_at timestamptz)
       join provider_account a on a.id = $1::uuid
       join contact k on k.org_id = a.org_id and k.e164 = t.address
       join campaign c on c.account_id = a.id and c.state in ('running', 'paused', 'finished', 'cancelled') and c.launched_at < t.created_at
        and (c.finished_at is null or c.finished_at > t.created_at)
       join campaign_contact p on p.campaign_id = c.id and p.contact_id = k.id
       join script_version v on v.id = c.script_version_id`,
    accountId,
    JSON.stringify(texts),
  );
}

/** A row for a text that was sent after the backup was made. */
export interface SentRow extends ListedText {
  readonly id: string;
  readonly campaign_id: string | null;
  readonly conversation_id: string | null;
  readonly contact_id: string | null;
  readonly step: string | null;
  readonly encoding: 'gsm7' | 'ucs2';
  readonly segments: number;
}

/**
 * Writes rows for texts that were sent, as accepted: with an id derived from their cause, the engine meets
 * them where it would have planned them. A text of no known campaign hangs on the conversation that its
 * person's replies go to. Writing them again changes nothing.
 */
const INSERT_SENT = `
with t as (
  select * from jsonb_to_recordset($2::jsonb) t(id uuid, pid text, sender text, address text, body text, created_at timestamptz, status delivery_status,
    code int, campaign_id uuid, conversation_id uuid, contact_id uuid, step text, encoding segment_encoding, segments int)),
sent as (
  insert into message (id, org_id, direction, purpose, state, delivery, priority, account_id, pool_id, sender_id, sender, address, campaign_id,
                       conversation_id, contact_id, programme, step, body, encoding, segments, due_at, not_after, attempt, claimed_at, accepted_at,
                       final_at, provider_message_id, error_code, actor)
  select t.id, a.org_id, 'outbound', case when t.campaign_id is null then 'api' else 'campaign' end::message_purpose, 'accepted', t.status, 3,
         a.id, coalesce(c.pool_id, s.pool_id), s.id, t.sender, t.address, t.campaign_id, coalesce(t.conversation_id, r.conversation_id),
         coalesce(t.contact_id, k.id), c.programme, t.step, t.body, t.encoding, t.segments, t.created_at, t.created_at, 1, t.created_at, t.created_at,
         t.created_at, t.pid, t.code, 'recovery'
    from t join provider_account a on a.id = $1::uuid
    left join campaign c on c.id = t.campaign_id
    left join sender s on s.account_id = a.id and s.e164 = t.sender
    left join contact k on k.org_id = a.org_id and k.e164 = t.address
    left join conversation_route r on r.account_id = a.id and r.sender = t.sender and r.address = t.address
  on conflict (id) do nothing
  returning id, org_id, account_id, sender, address, campaign_id, conversation_id, provider_message_id, claimed_at, delivery),
keyed as (
  insert into provider_key (account_id, provider_message_id, message_id)
  select account_id, provider_message_id, id from sent order by 1, 2 on conflict do nothing),
routed as (
  insert into conversation_route (account_id, sender, address, org_id, conversation_id, last_out_at)
  select distinct on (account_id, sender, address) account_id, sender, address, org_id, conversation_id, claimed_at
    from sent where conversation_id is not null order by account_id, sender, address, claimed_at desc
  on conflict (account_id, sender, address) do update
     set conversation_id = excluded.conversation_id, last_out_at = excluded.last_out_at
   where conversation_route.last_out_at <= excluded.last_out_at),
counted as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  select org_id, campaign_id, 'state', 'accepted', count(*) from sent where campaign_id is not null group by 1, 2
  union all select org_id, campaign_id, 'delivery', delivery::text, count(*) from sent
   where campaign_id is not null and delivery <> 'none' group by 1, 2, 4)
select id from sent`;

export async function insertSentRows(
  database: Database,
  accountId: string,
  rows: readonly SentRow[],
): Promise<number> {
  if (rows.length === 0) return 0;
  const written = await database.query(INSERT_SENT, accountId, JSON.stringify(rows));
  return written.length;
}

/** Hands the automatic conversations of these people to a person, with the reason. */
export async function handToPeople(
  database: Database,
  people: {
    readonly orgId: string;
    readonly addresses: readonly string[];
    readonly reason: string;
  },
): Promise<void> {
  await database.query(
    `with l as (
       select v.id from conversation_route r join conversation v on v.id = r.conversation_id
        where r.org_id = $1::uuid and r.address = any($2::text[]) and v.state = 'automatic' order by v.id for update of v)
     update conversation v set state = 'needs_reply', needs_reply_reason = $3, turn = v.turn + 1 from l where v.id = l.id returning 1 as done`,
    people.orgId,
    people.addresses,
    people.reason,
  );
}

/** Conversations with texts that no turn has dealt with, after an id. */
export async function listUnhandled(
  database: Database,
  afterId: string,
  limit: number,
): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `select id from conversation where kind = 'campaign' and handled_seq < arrival_seq and id > $1::uuid order by id limit $2::int`,
    afterId,
    limit,
  );
  return rows.map((row) => row.id);
}

/**
 * What was planned or on the wire in the backup may have been sent since, even where no list shows it yet:
 * it becomes unknown, and reconcile settles it as it settles every other unknown text. Up to 5,000 a call.
 */
const DOUBT = `
with l as (
  select id, state from message where state in ('planned', 'sending') and created_at <= $1::timestamptz order by id limit 5000 for update),
u as (
  update message m set state = 'unknown', reason = 'restored', reconcile_at = now(), reconcile_reads = 0, reconcile_looks = 0,
         claimed_at = least(m.claimed_at, $2::timestamptz), lease_until = now()
    from l where m.id = l.id returning m.org_id, m.campaign_id, l.state as was, m.price_micros),
held as (
  update budget b set reserved_micros = b.reserved_micros + t.n
    from (select org_id, coalesce(sum(price_micros) filter (where was = 'planned'), 0) as n from u group by 1) t
   where b.org_id = t.org_id and t.n <> 0),
counted as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  select org_id, campaign_id, 'state', 'unknown', count(*) from u where campaign_id is not null group by 1, 2
  union all select org_id, campaign_id, 'state', was::text, -count(*) from u where campaign_id is not null group by 1, 2, 4)
select count(*)::int as n from u`;

export async function doubtWhatWasPlanned(
  database: Database,
  { plannedBefore, lostSince }: { readonly plannedBefore: Date; readonly lostSince: Date },
): Promise<number> {
  let total = 0;
  for (;;) {
    const [row] = await database.query<{ n: number }>(DOUBT, plannedBefore, lostSince);
    total += row?.n ?? 0;
    if ((row?.n ?? 0) < 5_000) return total;
  }
}
