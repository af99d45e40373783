/** Archives over a deployment of their own: everything of before is taken away before each test. */
import { afterEach, beforeEach } from 'vitest';
import { createArchiveActivities } from '../../activities/archives.ts';
import { createExportActivities } from '../../activities/exports.ts';
import type { RetentionRules } from '../../domain/retention.ts';
import { armFaultPoints } from '../../faults/points.ts';
import { aCampaign, withTestApi, type TestOrg } from '../api/support.ts';
import { addExport } from '../support/export-rows.ts';
import { addOldTexts, dateOf, monthsAgo, type OldCampaign } from '../support/old-campaign.ts';
import { waitUntil } from '../support/wait-until.ts';
import { Client } from 'pg';

export const api = withTestApi();
export const RULES: RetentionRules = {
  archiveAfterDays: 90,
  graceDays: 7,
  archivesKeptDays: 0,
  eventsKeptDays: 90,
};
export const MONTH = monthsAgo(8);
export const NEXT_MONTH = monthsAgo(7);
/** Two days before the month ends: replies come in the next one. */
export const LAUNCHED = new Date(NEXT_MONTH.getTime() - 2 * 86_400_000 - 60_000);
export const day = 86_400_000;

/** Everything of before is taken away: archives are of the whole deployment. */
beforeEach(async () => {
  const { engine } = api();
  const client = new Client({ connectionString: ownerUrl() });
  await client.connect();
  try {
    await client.query(`do $$ declare t text; begin
      for t in select relname from pg_class where relnamespace = 'detached'::regnamespace and relkind = 'r' loop execute format('drop table detached.%I', t); end loop; end $$`);
    await client.query(
      'truncate archived_month, archive_chunk, archived_conversation, campaign_archive, stored_object, housekeeping_report, message, provider_event, provider_key, inbound_key, answer_current, counter, counter_delta, conversation, conversation_route, campaign_contact, campaign_progress, export, export_chunk, campaign_cursor, campaign cascade',
    );
  } finally {
    await client.end();
  }
  await engine.query(`select ensure_partitions($1::date, 3)::text as done`, dateOf(MONTH));
});
afterEach(() => armFaultPoints([], () => {}));

export function ownerUrl(): string {
  const url = new URL(api().engine.url);
  url.username = 'gw_owner';
  return url.href;
}

export function activities(rules: Partial<RetentionRules> = {}) {
  return createArchiveActivities({
    database: api().engine,
    storage: api().deps.storage,
    settings: { retention: { ...RULES, ...rules } },
  });
}

export type Round = Awaited<ReturnType<ReturnType<typeof activities>['archiveRound']>>;

/** Rounds until nothing is left to do. */
export async function runAll(rules: Partial<RetentionRules> = {}): Promise<Round> {
  const total: Record<string, number> = {};
  for (;;) {
    const round = await activities(rules).archiveRound();
    for (const [name, n] of Object.entries(round.done)) total[name] = (total[name] ?? 0) + n;
    if (!round.more) return { ...round, done: total };
  }
}

/** One round after the other, until a month is so far. */
export async function runUntil(state: string, month = MONTH): Promise<void> {
  await waitUntil(
    async () => {
      if ((await stateOf(month)) === state) return true;
      await activities().archiveRound();
      return (await stateOf(month)) === state;
    },
    { what: `the month to be ${state}` },
  );
}

export async function stateOf(month: Date, parent = 'message'): Promise<string | null> {
  const [row] = await api().engine.query<{ state: string }>(
    'select state from archived_month where parent = $1 and month = $2::date',
    parent,
    dateOf(month),
  );
  return row?.state ?? null;
}

export async function addOld(org: TestOrg, people: number): Promise<OldCampaign> {
  const { campaignId, accountId } = await aCampaign(api(), org);
  const campaign: OldCampaign = {
    orgId: org.orgId,
    accountId,
    campaignId,
    launchedAt: LAUNCHED,
    finishedAt: new Date(LAUNCHED.getTime() + 5 * day),
    people,
  };
  await addOldTexts(api().engine, campaign);
  return campaign;
}

export async function get(path: string, org = api().a): Promise<string> {
  const answer = await api().send(`GET ${path}`, { key: org.admin });
  return `${answer.status} ${answer.text}`;
}

/** Every page of a list. */
export async function pages(path: string): Promise<string[]> {
  const texts: string[] = [];
  let cursor = '';
  for (;;) {
    const answer = await api().send(`GET ${path}${cursor}`, { key: api().a.admin });
    texts.push(`${answer.status} ${answer.text}`);
    if ((answer.body['nextCursor'] ?? null) === null) return texts;
    cursor = `&cursor=${answer.body['nextCursor']}`;
  }
}

export async function exportOf(wish: {
  format: 'csv' | 'ndjson';
  campaignId?: string;
}): Promise<string> {
  const { engine, deps } = api();
  const id = await addExport(engine, api().a.orgId, wish);
  const ended = await createExportActivities({
    database: engine,
    storage: deps.storage,
  }).runExport({ exportId: id });
  const chunks = await engine.query<{ data: Uint8Array }>(
    'select data from export_chunk where export_id = $1::uuid order by n',
    id,
  );
  return `${ended.state} ${ended.rows} ${Buffer.concat(chunks.map(({ data }) => data)).toString()}`;
}

/** All that the API and exports say of a campaign and of its org's texts. */
export async function readEverything(campaign: OldCampaign, strayIds: readonly string[] = []) {
  const { campaignId } = campaign;
  const [some, talks] = await Promise.all([
    someTexts(campaignId),
    api().engine.query<{ id: string }>(
      'select id from conversation where org_id = $1::uuid order by id limit 30',
      campaign.orgId,
    ),
  ]);
  return {
    report: await get(`/v1/campaigns/${campaignId}/report`),
    people: await get(`/v1/campaigns/${campaignId}/report.csv`),
    texts: await pages(`/v1/campaigns/${campaignId}/messages?limit=200`),
    unknown: await pages(`/v1/campaigns/${campaignId}/messages?limit=40&state=unknown`),
    all: await pages('/v1/messages?limit=199'),
    received: await pages('/v1/messages?limit=50&state=received'),
    traces: await Promise.all([...some, ...strayIds].map(async (id) => get(`/v1/messages/${id}`))),
    conversations: await Promise.all(talks.map(async ({ id }) => get(`/v1/conversations/${id}`))),
    csv: await exportOf({ format: 'csv', campaignId }),
    ndjson: await exportOf({ format: 'ndjson' }),
  };
}

/** The report, and every text of the campaign, as files. */
export async function readFiles({ campaignId }: OldCampaign) {
  return {
    report: await get(`/v1/campaigns/${campaignId}/report`),
    people: await get(`/v1/campaigns/${campaignId}/report.csv`),
    texts: await exportOf({ format: 'ndjson', campaignId }),
  };
}

export const chosen = new Map<string, string[]>();

/** A text of each kind, the same ones before and after. */
export async function someTexts(campaignId: string): Promise<string[]> {
  const known = chosen.get(campaignId);
  if (known !== undefined) return known;
  const rows = await api().engine.query<{ id: string }>(
    `select distinct on (direction, state, delivery, purpose, try) id from message where campaign_id = $1::uuid order by direction, state, delivery, purpose, try, id`,
    campaignId,
  );
  chosen.set(
    campaignId,
    rows.map(({ id }) => id),
  );
  return rows.map(({ id }) => id);
}

export async function count(sql: string, ...parameters: unknown[]): Promise<number> {
  const [row] = await api().engine.query<{ n: number }>(
    `select count(*)::int as n from ${sql}`,
    ...parameters,
  );
  return row?.n ?? -1;
}
