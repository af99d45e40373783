import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { campaignSchema } from '../../cli/demo-client.ts';
import { peopleCsv, peopleNumbers, type LaunchedCampaign } from '../support/stack/campaigns.ts';
import type { Create } from '../support/stack/journals.ts';
import type { Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { HOP_MS, startStack } from '../e2e/support.ts';
import { createdFor, storedInbound } from './support.ts';

/** The provider makes the text, but its answer does not say so. */
const AFTER = ['http-500-after', 'reset-after', 'hang', 'drip', 'wrong-json', 'no-sid'] as const;
/** The provider makes nothing, and does not say so either. */
const BEFORE = ['http-500-before', 'http-503-html', 'reset-before', 'hang-before'] as const;
const TIMES = 3;
const LIST_LAG_MS = 1_500;

const AREAS = { lost: '212', storm: '303', reports: '404', silent: '503' } as const;
const PEOPLE = { lost: 60, storm: 120, reports: 60, silent: 80 } as const;
type Name = keyof typeof AREAS;

let stack: Stack;
const campaigns = new Map<Name, LaunchedCampaign>();
let unheard: string[] = [];

const quitters = peopleNumbers(AREAS.silent, PEOPLE.silent).slice(-4);

/** Every campaign has senders of its own, and its faults strike only those. */
beforeAll(async () => {
  stack = await startStack({
    settings: { SEND_DEADLINE_MS: '1000', RECONCILE_LAG_MS: '2500', RECONCILE_BACKOFF_MS: '200' },
  });
  // Answers take longer than a text to its phone: reports come before the 201.
  await stack.steer('PUT', 'settings', { listLagMs: LIST_LAG_MS, latencyMs: 120 });
  const rates: Record<Name, number> = { lost: 30, storm: 30, reports: 30, silent: 8 };
  for (const name of Object.keys(AREAS) as Name[]) {
    const campaign = await stack.prepare({
      name,
      csv: peopleCsv(AREAS[name], PEOPLE[name]),
      senders: 1,
      segmentsPerSecond: rates[name],
      replyWindowSeconds: 1,
    });
    campaigns.set(name, campaign);
    const [from = ''] = await stack.sendersOf(campaign);
    await stack.steer('POST', 'faults', faultsOf(name, from));
  }
  for (const { path } of campaigns.values()) await stack.api.post(`${path}/launch`, campaignSchema);
  const [to = ''] = await stack.sendersOf(campaignOf('silent'));
  unheard = await Promise.all([
    ...quitters.map((from) => stack.inject({ from, to, body: 'STOP' })),
    stack.inject({ from: quitters[0] ?? '', to, body: 'I mean it', deliver: 'list-only' }),
  ]);
}, 240_000);
afterAll(async () => stack?.close());

function faultsOf(name: Name, from: string): object[] {
  const match = { from };
  switch (name) {
    case 'lost':
      return [
        ...[...AFTER, ...BEFORE].map((fault) => ({ fault, times: TIMES, match })),
        { fault: 'drop-callbacks', times: 1_000, match },
      ];
    case 'storm':
      return [{ fault: 'throttle', times: 60, match: { from, share: 0.5 } }];
    case 'reports':
      return [
        { fault: 'duplicate-callbacks', times: 40, match: { from, share: 0.5 } },
        { fault: 'shuffle-callbacks', times: 40, delayMs: 3_000, match: { from, share: 0.6 } },
        { fault: 'delay-callbacks', times: 40, delayMs: 4_000, match },
      ];
    case 'silent':
      // A text from a person has our sender as its receiver.
      return [{ fault: 'drop-inbound', times: 1_000, match: { to: from } }];
    default:
      return [];
  }
}

function campaignOf(name: Name): LaunchedCampaign {
  const campaign = campaigns.get(name);
  if (campaign === undefined) throw new Error(`no campaign ${name}`);
  return campaign;
}

/** Every request for these people, made or not. */
async function requests(name: Name): Promise<Create[]> {
  return (await stack.creates()).filter(({ to }) => to.startsWith(`+1${AREAS[name]}`));
}

async function expectOneEach(name: Name, people = peopleNumbers(AREAS[name], PEOPLE[name])) {
  const created = await createdFor(stack, AREAS[name]);
  expect([...created.keys()].toSorted()).toEqual(people);
  expect([...created.values()].filter((creates) => creates.length > 1)).toEqual([]);
}

describe('a provider', () => {
  test('that refuses half of all requests for their number is asked again, more slowly, until each person has one text', async () => {
    const [from] = await stack.sendersOf(campaignOf('storm'));
    await waitUntil(
      async () => {
        const [row] = await stack.database.query<{ factor: number }>(
          `select b.factor from permit_bucket b join sender s on s.id = b.ref_id where s.e164 = $1`,
          from,
        );
        return (row?.factor ?? 1) < 1;
      },
      { what: 'the rate of the sender to fall', everyMs: 20 },
    );
    const report = await stack.finished(campaignOf('storm'), 150_000);
    expect(report.texts).toMatchObject({ accepted: PEOPLE.storm, lost: 0, unknown: 0 });
    expect((await requests('storm')).filter(({ answer }) => answer === 429).length).toBeGreaterThan(
      5,
    );
    await expectOneEach('storm');
  }, 240_000);

  test('whose reports come twice, late, shuffled and before its answers ends every text once, delivered', async () => {
    const report = await stack.finished(campaignOf('reports'), 150_000);
    await expectOneEach('reports');
    await waitUntil(
      async () => {
        const [row] = await stack.database.query<{ n: number }>(
          `select count(*)::int as n from message where campaign_id = $1::uuid and delivery in ('delivered', 'undelivered')`,
          campaignOf('reports').id,
        );
        return row?.n === PEOPLE.reports;
      },
      { what: 'the last delayed report' },
    );
    expect(report.texts.accepted).toBe(PEOPLE.reports);
    expect(report.sumsAgree).toBe(true);
  }, 240_000);

  test('whose webhooks never arrive is asked for what people wrote, stops included', async () => {
    await waitUntil(
      async () => {
        const stored = await storedInbound(stack);
        return unheard.every((sid) => stored.get(sid) === 1);
      },
      { what: 'the gap filler to find every text', timeoutMs: 90_000 },
    );
    await stack.finished(campaignOf('silent'), 150_000);
    const confirmations = (await requests('silent')).filter(({ body }) =>
      body.includes('no more texts'),
    );
    expect(confirmations.map(({ to }) => to).toSorted()).toEqual(quitters);
    const stops = await stack.database.query<{ address: string; at: Date }>(
      'select address, created_at as at from suppression where address = any($1::text[])',
      quitters,
    );
    expect(stops).toHaveLength(quitters.length);
    const questions = (await requests('silent')).filter(({ body }) => body.includes('?'));
    const late = questions.filter(({ to, receivedAtMs }) =>
      stops.some(({ address, at }) => address === to && receivedAtMs > at.getTime() + 500 + HOP_MS),
    );
    expect(late).toEqual([]);
    expect(new Set(questions.map(({ to }) => to)).size).toBeLessThan(PEOPLE.silent);
  }, 240_000);

  test('whose answers are lost and whose reports are lost too texts nobody twice and leaves nobody out', async () => {
    const report = await stack.finished(campaignOf('lost'), 150_000);
    await expectOneEach('lost');
    // One request where the provider had made the text, a second try only where its list showed twice that it had not.
    const all = await requests('lost');
    for (const fault of AFTER) {
      const struck = all.filter((create) => create.fault === fault);
      expect(struck).toHaveLength(TIMES);
      for (const { to } of struck) expect(all.filter((create) => create.to === to)).toHaveLength(1);
    }
    for (const fault of BEFORE) {
      const struck = all.filter((create) => create.fault === fault);
      expect(struck).toHaveLength(TIMES);
      for (const { to, receivedAtMs } of struck) {
        const again = all.find((create) => create.to === to && create.sid !== null);
        expect((again?.receivedAtMs ?? 0) - receivedAtMs).toBeGreaterThan(LIST_LAG_MS);
      }
    }
    expect(report.texts).toMatchObject({
      accepted: PEOPLE.lost,
      lost: BEFORE.length * TIMES,
      unknown: 0,
    });
  }, 240_000);
});
