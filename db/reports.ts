import type { Database } from './client.ts';
import { settleBudget } from './budgets.ts';
import { newId } from './ids.ts';
import { applyToSending, type SendingRule } from './consequences.ts';
import { markContacts } from './records.ts';
import { suppressReported } from './suppressions.ts';
import { RING_AGAIN } from './wake.ts';

/** A delivery report, addressed by our own account and message. */
export interface ReportArrival {
  readonly accountId: string;
  readonly orgId: string;
  readonly messageId: string;
  readonly providerMessageId: string;
  readonly status: string;
  readonly errorCode: number | null;
}

/**
 * Keeps every report as it came and lifts each row's delivery to the highest rank seen. A report is
 * also proof of a create: a row that waits for its answer, or was given up, becomes `accepted`. The
 * account of the path must own the row, and a row known by another provider id is left alone: what does
 * not fit its row is kept without it, and never stands in the way of a report that does.
 * Rows are locked in id order, as in the record statement. They are found by the array of ids, never by a join:
 * see docs/decisions/0012. Measured: 100 reports 1.5 ms p50.
 */
const STORE = `
with e as materialized (
  select * from jsonb_to_recordset($1::jsonb) e(event_id uuid, account_id uuid, org_id uuid, message_id uuid, pid text, status delivery_status, code int)),
found as materialized (
  select m.id, m.account_id, m.provider_message_id from message m where m.id = any($2::uuid[])),
own as (
  select e.*, m.id as own_id, m.id is not null and (m.provider_message_id is null or m.provider_message_id = e.pid) as fits
    from e left join found m on m.id = e.message_id and m.account_id = e.account_id),
kept as (
  insert into provider_event (id, org_id, account_id, message_id, kind, provider_message_id, status, error_code, detail)
  select event_id, org_id, account_id, own_id, 'status', pid, status, code,
         case when own_id is null then jsonb_build_object('named', message_id) else '{}' end from own),
top as (select distinct on (message_id) * from own where fits order by message_id, status desc, code nulls last),
held as (
  select m.id, m.contact_id, m.account_id, m.sender_id, m.campaign_id, m.state as was, m.delivery as was_delivery, m.error_code as was_code
    from message m join top t on t.message_id = m.id and t.account_id = m.account_id
   where m.id = any($2::uuid[]) and m.direction = 'outbound'
     and (m.provider_message_id is null or m.provider_message_id = t.pid)
   order by m.id for update of m),
lifted as (
  update message m set
      delivery = greatest(m.delivery, t.status),
      error_code = coalesce(t.code, m.error_code),
      provider_message_id = t.pid,
      state = case when h.was in ('planned', 'sending', 'unknown', 'lost', 'rejected') then 'accepted' else h.was end,
      accepted_at = coalesce(m.accepted_at, now()),
      final_at = coalesce(m.final_at, now())
    from top t join held h on h.id = t.message_id
   where m.id = t.message_id
     and (m.delivery < t.status or h.was in ('planned', 'sending', 'unknown', 'lost', 'rejected'))
  returning m.id, m.org_id, m.account_id, m.campaign_id, m.conversation_id, m.contact_id, m.sender, m.address,
            m.provider_message_id, m.state, m.delivery, m.error_code, m.claimed_at, h.was, h.was_delivery, h.was_code,
            m.sender_id, m.segments, m.accepted_at, m.price_micros, m.currency),
${settleBudget('lifted')},
loaded as (
  insert into sender_load (sender_id, minute, taken, passed_on)
  select sender_id, date_trunc('minute', accepted_at), coalesce(sum(segments) filter (where was <> 'accepted'), 0),
         coalesce(sum(segments) filter (where delivery >= 'sent'), 0)
    from lifted where sender_id is not null and (was <> 'accepted' or (was_delivery < 'sent' and delivery >= 'sent'))
   group by 1, 2 order by 1, 2
  on conflict (sender_id, minute) do update set taken = sender_load.taken + excluded.taken, passed_on = sender_load.passed_on + excluded.passed_on),
keyed as (
  insert into provider_key (account_id, provider_message_id, message_id)
  select account_id, provider_message_id, id from lifted where state <> was order by 1, 2 on conflict do nothing),
routed as (
  insert into conversation_route (account_id, sender, address, org_id, conversation_id, last_out_at)
  select distinct on (account_id, sender, address) account_id, sender, address, org_id, conversation_id, coalesce(claimed_at, now())
    from lifted where state <> was and conversation_id is not null and sender is not null order by account_id, sender, address, id desc
  on conflict (account_id, sender, address) do update
     set conversation_id = excluded.conversation_id, last_out_at = excluded.last_out_at
   where conversation_route.last_out_at <= excluded.last_out_at),
rung as (
  insert into outbox (kind, ref_id)
  select 'ring_conversation', c.id from conversation c join lifted l on c.waits_for_message_id = l.id order by c.id
  ${RING_AGAIN}),
counted as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  select org_id, campaign_id, kind, value, sum(n) from (
      select org_id, campaign_id, 'delivery' as kind, delivery::text as value, 1 as n from lifted where delivery <> was_delivery
      union all select org_id, campaign_id, 'delivery', was_delivery::text, -1 from lifted where delivery <> was_delivery and was_delivery <> 'none'
      union all select org_id, campaign_id, 'error', error_code::text, 1 from lifted where error_code is not null and was_code is null
      union all select org_id, campaign_id, 'state', state::text, 1 from lifted where state <> was
      union all select org_id, campaign_id, 'state', was::text, -1 from lifted where state <> was) t
   where campaign_id is not null group by 1, 2, 3, 4)
select h.id, h.contact_id, t.code as error_code, h.account_id, h.sender_id, h.campaign_id, h.was_code is null as fresh
  from held h join top t on t.message_id = h.id where t.code is not null`;

/** Rows whose report carried an error number, for the rules that number stands for; also when it was known already, so that a repeat applies what a crash left undone. */
export interface ReportedError {
  readonly id: string;
  readonly contact_id: string | null;
  readonly error_code: number;
  readonly account_id: string;
  readonly sender_id: string | null;
  readonly campaign_id: string | null;
  /** Whether it is the text's first: whoever put a sender to use again must not lose it to a repeat. */
  readonly fresh: boolean;
}

export async function storeReports(
  database: Database,
  reports: readonly ReportArrival[],
): Promise<ReportedError[]> {
  if (reports.length === 0) return [];
  return database.query<ReportedError>(
    STORE,
    JSON.stringify(
      reports.map((report) => ({
        event_id: newId(),
        account_id: report.accountId,
        org_id: report.orgId,
        message_id: report.messageId,
        pid: report.providerMessageId,
        status: report.status,
        code: report.errorCode,
      })),
    ),
    reports.map((report) => report.messageId),
  );
}

/** Keeps a webhook body that could not be stored as what it is. */
export async function quarantine(
  database: Database,
  item: {
    readonly accountId: string;
    readonly kind: string;
    readonly raw: string;
    readonly problem: string;
  },
): Promise<void> {
  await database.query(
    `insert into quarantine (id, account_id, kind, raw, problem) values ($1::uuid, $2::uuid, $3, $4::bytea, $5) returning 1 as done`,
    newId(),
    item.accountId,
    item.kind,
    Buffer.from(item.raw, 'utf8'),
    item.problem.slice(0, 1_000),
  );
}

/** What an error number says about a person, and about whoever texted them. */
export type ReportRule = (errorCode: number) => SendingRule & {
  readonly contact: 'none' | 'invalid-number' | 'landline' | 'opted-out';
};

/**
 * Applies what the carrier's error numbers say: dead numbers, landlines, opt-outs that we missed, senders that are
 * not registered, accounts that are suspended.
 */
export async function applyReportedErrors(
  database: Database,
  errors: readonly ReportedError[],
  ruleOf: ReportRule,
): Promise<void> {
  const by = (contact: string): ReportedError[] =>
    errors.filter((error) => ruleOf(error.error_code).contact === contact);
  const contactIds = (rows: readonly ReportedError[]): string[] =>
    rows.flatMap((row) => row.contact_id ?? []);
  await markContacts(database, contactIds(by('invalid-number')), 'invalid_number');
  await markContacts(database, contactIds(by('landline')), 'landline');
  await suppressReported(
    database,
    by('opted-out').map((row) => row.id),
  );
  // Once for each sender, campaign and number: a batch of reports mostly says one thing.
  const fresh = errors.filter((error) => error.fresh);
  const each = new Map(
    fresh.map((row) => [`${row.sender_id} ${row.campaign_id} ${row.error_code}`, row]),
  );
  for (const row of each.values()) await applyToSending(database, row, ruleOf(row.error_code));
}
