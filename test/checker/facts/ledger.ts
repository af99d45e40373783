import type { ClientBase } from 'pg';
import { Client } from 'pg';
import { findBrokenCounters, findOrphans, findForeignEvents } from './broken-rows.ts';
import type { AuditFact, CampaignFact, Hours, LedgerFacts, MessageFact } from './facts.ts';
import { findBrokenSeals } from './seals.ts';

const PAGE = 20_000;

/** Reads the database in one snapshot; throws where row security would hide everything. */
export async function readLedger(databaseUrl: string): Promise<LedgerFacts> {
  const client = new Client({ connectionString: databaseUrl, application_name: 'checker' });
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read read only');
    // The first statement takes the snapshot.
    const [now] = await rows(client, 'select extract(epoch from clock_timestamp()) * 1000 as ms');
    await refuseBlindness(client);
    return { ...(await readAll(client)), readAtMs: Number(now?.['ms']) };
  } finally {
    await client.end();
  }
}

/** A role that sees no org would find everything in order. */
async function refuseBlindness(client: ClientBase): Promise<void> {
  const orgs = await client.query('select 1 from org limit 1');
  if (orgs.rows.length === 0) {
    throw new Error(
      'the checker sees no org: connect it as gw_engine, to a database that was used',
    );
  }
}

async function readAll(client: ClientBase): Promise<Omit<LedgerFacts, 'readAtMs'>> {
  return {
    messages: await readMessages(client),
    campaigns: await readCampaigns(client),
    whereabouts: await readWhereabouts(client),
    accounts: new Map(
      (await rows(client, 'select id, org_id, account_sid from provider_account')).map((row) => [
        string(row['id']),
        { orgId: string(row['org_id']), accountSid: string(row['account_sid']) },
      ]),
    ),
    senderLimits: new Map(
      (await rows(client, SENDERS)).map((row) => [
        string(row['sender']),
        Number(row['segments_per_second']),
      ]),
    ),
    events: new Map(
      (await rows(client, EVENTS)).map((row) => [
        string(row['pid']),
        string(row['statuses']).split(','),
      ]),
    ),
    foreignEvents: await findForeignEvents(client),
    inboundKeys: await readSet(client, 'select provider_message_id as value from inbound_key'),
    quarantined: await readSet(client, QUARANTINED),
    suppressed: await readSet(
      client,
      `select distinct org_id || ' ' || address as value from suppression where org_id is not null`,
    ),
    unheardConversations: [
      ...(await readSet(
        client,
        `select id::text as value from conversation where kind = 'campaign' and handled_seq < arrival_seq`,
      )),
    ],
    doorbells: await readSet(client, `select kind || ' ' || ref_id as value from outbox`),
    audit: (await rows(client, AUDIT)).map(toAudit),
    seals: await findBrokenSeals(client),
    orphans: await findOrphans(client),
    counters: await findBrokenCounters(client),
  };
}

type Row = Readonly<Record<string, unknown>>;

async function rows(client: ClientBase, sql: string, values: unknown[] = []): Promise<Row[]> {
  return (await client.query<Row>(sql, values)).rows;
}

async function readSet(client: ClientBase, sql: string): Promise<Set<string>> {
  return new Set((await rows(client, sql)).map((row) => string(row['value'])));
}

const SENDERS = `
select a.account_sid || ' ' || s.e164 as sender, min(s.segments_per_second) as segments_per_second
  from sender s join provider_account a on a.id = s.account_id group by 1`;

const EVENTS = `
select account_id || ' ' || provider_message_id as pid, string_agg(distinct status::text, ',') as statuses
  from provider_event where kind = 'status' and provider_message_id is not null and status is not null group by 1`;

/** Bodies that could not be stored as what they are; each names the text it was. */
const QUARANTINED = `
select distinct substring(convert_from(raw, 'SQL_ASCII') from 'MessageSid=([A-Za-z0-9]+)') as value
  from quarantine where kind = 'inbound' and convert_from(raw, 'SQL_ASCII') ~ 'MessageSid=[A-Za-z0-9]+'`;

const AUDIT = `
select action, object_id, actor = 'engine' as by_engine, count(*)::int as n
  from audit_log where object_kind = 'campaign' group by 1, 2, 3`;

function toAudit(row: Row): AuditFact {
  return {
    action: string(row['action']),
    objectId: string(row['object_id']),
    byEngine: row['by_engine'] === true,
    rows: Number(row['n']),
  };
}

const MESSAGES = `
select id, org_id, direction::text as direction, purpose::text as purpose, state::text as state, delivery::text as delivery,
       driver::text as driver, account_id, pool_id, sender, address, campaign_id, conversation_id, step, wave, retry_of,
       segments, provider_message_id, error_code, reason, case when direction = 'inbound' then md5(body) end as body_md5
  from message where id > $1::uuid order by id limit ${PAGE}`;

async function readMessages(client: ClientBase): Promise<Map<string, MessageFact>> {
  const messages = new Map<string, MessageFact>();
  const once = createOnce();
  let last = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const page = await rows(client, MESSAGES, [last]);
    for (const row of page) {
      last = string(row['id']);
      messages.set(last, toMessage(row, once));
    }
    if (page.length < PAGE) return messages;
  }
}

/** Keeps one copy of texts that stand in every row: a few hundred bytes a row. */
function createOnce() {
  const kept = new Map<string, string>();
  return (value: unknown): string => {
    const text = string(value);
    const known = kept.get(text);
    if (known === undefined) kept.set(text, text);
    return known ?? text;
  };
}

function toMessage(row: Row, once: (value: unknown) => string): MessageFact {
  const onceOrNull = (value: unknown): string | null => (value === null ? null : once(value));
  return {
    id: string(row['id']),
    orgId: once(row['org_id']),
    direction: row['direction'] === 'inbound' ? 'inbound' : 'outbound',
    purpose: once(row['purpose']),
    state: once(row['state']),
    delivery: once(row['delivery']),
    driver: once(row['driver']),
    accountId: once(row['account_id']),
    poolId: onceOrNull(row['pool_id']),
    sender: onceOrNull(row['sender']),
    address: string(row['address']),
    campaignId: onceOrNull(row['campaign_id']),
    conversationId: stringOrNull(row['conversation_id']),
    step: onceOrNull(row['step']),
    wave: Number(row['wave']),
    retryOf: stringOrNull(row['retry_of']),
    segments: numberOrNull(row['segments']),
    providerMessageId: stringOrNull(row['provider_message_id']),
    errorCode: numberOrNull(row['error_code']),
    reason: onceOrNull(row['reason']),
    bodyMd5: stringOrNull(row['body_md5']),
  };
}

const CAMPAIGNS = `
select c.id, c.org_id, c.state::text as state, c.unknown_policy::text as policy, c.hours_start_minute, c.hours_end_minute,
       c.hours_days, c.hours_blackout::text[] as blackout, c.starts_at_local, o.hours_laws, o.hours_start_minute as org_start,
       o.hours_end_minute as org_end, o.hours_days as org_days, o.hours_blackout::text[] as org_blackout, c.auto_reply_in_hours_only, c.fence,
       case when p.frozen_at is null then null else p.audience end as audience,
       coalesce(k.contacts, 0)::int as contacts, coalesce(u.size, 0)::int as cursor_sum,
       coalesce(k.passed_over, 0)::int as passed_over, coalesce(k.waiting, 0)::int as waiting,
       coalesce(k.waiting_open, 0)::int as waiting_open, coalesce(a.rows, 0)::int as audited, coalesce(a.created, false) as is_audited
  from campaign c join org o on o.id = c.org_id
  left join campaign_progress p on p.campaign_id = c.id
  left join (select campaign_id, sum(size) as size from campaign_cursor where wave = 0 group by 1) u on u.campaign_id = c.id
  left join (
    select cc.campaign_id, count(*) as contacts,
           count(*) filter (where not t.planned and cc.seq < coalesce(u.next_seq, 1)) as passed_over,
           count(*) filter (where not t.planned and cc.seq >= coalesce(u.next_seq, 1)) as waiting,
           count(*) filter (where not t.planned and cc.seq >= coalesce(u.next_seq, 1) and now() between u.opens_at and u.closes_at) as waiting_open
      from campaign_contact cc
      left join campaign_cursor u on u.campaign_id = cc.campaign_id and u.zone_set_id = cc.zone_set_id and u.wave = 0
      cross join lateral (
        select exists (select 1 from message m where m.conversation_id = cc.id and m.purpose = 'campaign' and m.wave = 0) as planned) t
     group by 1) k on k.campaign_id = c.id
  left join (
    select object_id, count(*) filter (where action in ('campaign.edit', 'campaign.check', 'campaign.launch', 'campaign.start',
             'campaign.pause', 'campaign.resume', 'campaign.finish', 'campaign.cancel')) as rows,
           bool_or(action = 'campaign.create') as created
      from audit_log where object_kind = 'campaign' group by 1) a on a.object_id = c.id`;

async function readCampaigns(client: ClientBase): Promise<Map<string, CampaignFact>> {
  const campaigns = (await rows(client, CAMPAIGNS)).map(toCampaign);
  return new Map(campaigns.map((campaign) => [campaign.id, campaign]));
}

function toCampaign(row: Row): CampaignFact {
  return {
    id: string(row['id']),
    orgId: string(row['org_id']),
    state: string(row['state']),
    policy: string(row['policy']) as CampaignFact['policy'],
    hours: [
      toHours(row, ['hours_start_minute', 'hours_end_minute', 'hours_days', 'blackout']),
      toHours(row, ['org_start', 'org_end', 'org_days', 'org_blackout']),
    ],
    boundByLaw: row['hours_laws'] !== 'none',
    startsAtLocal: stringOrNull(row['starts_at_local']),
    autoRepliesInHoursOnly: row['auto_reply_in_hours_only'] === true,
    fence: Number(row['fence']),
    audience: numberOrNull(row['audience']),
    contacts: Number(row['contacts']),
    cursorSum: Number(row['cursor_sum']),
    passedOver: Number(row['passed_over']),
    waiting: Number(row['waiting']),
    waitingOpen: Number(row['waiting_open']),
    stateRowsAudited: Number(row['audited']),
    isAudited: row['is_audited'] === true,
  };
}

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];

/** What is not set bounds nothing. */
function toHours(row: Row, [start, end, days, blackout]: [string, string, string, string]): Hours {
  return {
    startMinute: Number(row[start] ?? 0),
    endMinute: Number(row[end] ?? 1_440),
    days: ((row[days] as unknown[] | null) ?? EVERY_DAY).map(Number),
    blackout: (row[blackout] as unknown[]).map(string),
  };
}

async function readWhereabouts(client: ClientBase): Promise<LedgerFacts['whereabouts']> {
  const sets = new Map(
    (await rows(client, 'select id, zones, places from zone_set')).map((row) => [
      Number(row['id']),
      {
        zones: (row['zones'] as unknown[]).map(string),
        isAmerican: (row['places'] as unknown[]).some((place) => string(place).startsWith('US')),
      },
    ]),
  );
  const setOf = new Map<string, number>(
    (await rows(client, 'select id, zone_set_id from campaign_contact')).map((row) => [
      string(row['id']),
      Number(row['zone_set_id']),
    ]),
  );
  return (id) => sets.get(setOf.get(id) ?? Number.NaN) ?? null;
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : String(value);
}

function stringOrNull(value: unknown): string | null {
  return value === null ? null : string(value);
}

function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value);
}
