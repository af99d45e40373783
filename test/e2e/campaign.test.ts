import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bundleWorkflows } from '../../worker/bundle.ts';
import {
  ARCHIVE_WORKFLOW,
  CAMPAIGN_WORKFLOW,
  CONVERSATION_WORKFLOW,
  conversationWorkflowId,
  EXPORT_WORKFLOW,
  IMPORT_WORKFLOW,
  MAINTENANCE_WORKFLOW,
  SENDER_POOL_WORKFLOW,
} from '../../workflows/contract.ts';
import { FIRST_TEXT_WORDS, peopleCsv, peopleNumbers } from '../support/stack/campaigns.ts';
import type { Create } from '../support/stack/journals.ts';
import type { Stack } from '../support/stack/stack.ts';
import { waitUntil } from '../support/wait-until.ts';
import { describeHistory, findPersonal, recordHistories, toJson } from '../workflows/histories.ts';
import { HOP_MS, pauseAndWatch, startStack } from './support.ts';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: {
    logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) },
  },
});

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => stack.close());

/** Whose first texts these are: everybody whose number begins like this. */
async function firstTexts(area: string): Promise<Create[]> {
  const creates = await stack.creates();
  return creates.filter(
    ({ to, body }) => to.startsWith(`+1${area}`) && body.includes(FIRST_TEXT_WORDS),
  );
}

function countBy<Item>(
  items: readonly Item[],
  key: (item: Item) => string,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return counts;
}

function texted(creates: readonly Create[]): string[] {
  return creates.map(({ to }) => to).toSorted();
}

describe('a campaign', () => {
  test('goes from a CSV to a report whose sums agree', async () => {
    await stack.steer('PUT', 'settings', { replyShare: 0.5 });
    const dirt = [
      'call me,Bo,',
      ',Cy,',
      '+12122000003,Ada again,',
      '12345,Di,',
      '"(212) 200-0005",Ada again,',
    ];
    const campaign = await stack.launch({
      name: 'report',
      csv: `${peopleCsv('212', 115)}${dirt.join('\n')}\n`,
      senders: 4,
      segmentsPerSecond: 20,
      replyWindowSeconds: 3,
    });
    const { rows, rejectsByReason } = campaign.imported;
    expect(rows).toEqual({ decided: 120, accepted: 115, rejected: 5 });
    expect(rejectsByReason['duplicate']).toBe(2);

    const report = await stack.finished(campaign, 40_000);
    expect(report.sumsAgree).toBe(true);
    expect(report.audience).toBe(115);
    expect(report.ledger).toEqual(report.texts);
    expect(report.replies.total).toBeGreaterThan(10);

    expect(texted(await firstTexts('212'))).toEqual(peopleNumbers('212', 115));
    const people = new Set(peopleNumbers('212', 115));
    const created = (await stack.creates()).filter(({ to, sid }) => people.has(to) && sid !== null);
    const [accepted] = await stack.database.query<{ n: number }>(
      `select count(*)::int as n from message where direction = 'outbound' and state = 'accepted' and address = any($1::text[])`,
      [...people],
    );
    expect(created).toHaveLength(accepted?.n ?? 0);
    await stack.steer('PUT', 'settings', { replyShare: 0 });
  });

  test('whose script starts with the first text has a workflow for each person', async () => {
    const campaign = await stack.launch({
      name: 'first text',
      csv: peopleCsv('303', 20),
      senders: 1,
      segmentsPerSecond: 10,
      replyWindowSeconds: 2,
      startMode: 'first_text',
    });
    await stack.finished(campaign, 30_000);
    expect(texted(await firstTexts('303'))).toEqual(peopleNumbers('303', 20));
    const people = await stack.database.query<{ id: string }>(
      'select id from campaign_contact where campaign_id = $1::uuid',
      campaign.id,
    );
    const found = await Promise.all(
      people.map(({ id }) =>
        stack.temporal.workflow.getHandle(conversationWorkflowId(id)).describe(),
      ),
    );
    expect(found.map(({ type }) => type)).toEqual(
      Array.from({ length: 20 }, () => CONVERSATION_WORKFLOW),
    );
  });

  test('that is paused starts no POST more than 600 ms later', async () => {
    const campaign = await stack.launch({
      name: 'pause',
      csv: peopleCsv('404', 400),
      senders: 4,
      segmentsPerSecond: 15,
      replyWindowSeconds: 1,
    });
    await waitUntil(async () => (await firstTexts('404')).length >= 40, { what: '40 texts' });
    const { lastAtMs, answeredAtMs } = await pauseAndWatch(stack, campaign, '404');
    // The answer comes 600 ms after the commit.
    expect(lastAtMs).toBeLessThanOrEqual(answeredAtMs + HOP_MS);
    const sent = (await firstTexts('404')).length;
    expect(sent).toBeLessThan(400);
    // Nothing is lost by a pause: the same people, and each once, when it is resumed and cancelled.
    await stack.api.post(`${campaign.path}/resume`, z.unknown());
    await waitUntil(async () => (await firstTexts('404')).length > sent, {
      what: 'texts after the pause',
    });
    await stack.api.post(`${campaign.path}/cancel`, z.unknown());
    expect(
      Object.values(countBy(await firstTexts('404'), ({ to }) => to)).every((n) => n === 1),
    ).toBe(true);
  });

  test('sends a person who says stop its one confirmation and no other POST after our 2xx', async () => {
    const campaign = await stack.launch({
      name: 'stops',
      csv: peopleCsv('503', 200),
      senders: 2,
      segmentsPerSecond: 20,
      replyWindowSeconds: 1,
    });
    const [to = ''] = await stack.sendersOf(campaign);
    const stopping = peopleNumbers('503', 200).filter((_, index) => index % 13 === 5);
    await waitUntil(async () => (await firstTexts('503')).length >= 60, { what: '60 texts' });
    const sids = new Map<string, string>();
    for (const from of stopping)
      sids.set(from, await stack.inject({ from, to, body: 'Stop please' }));
    await stack.finished(campaign, 40_000);

    const acknowledged = await stack.acknowledged();
    const creates = await stack.creates();
    const confirmations = (person: string): Create[] =>
      creates.filter((create) => create.to === person && create.body.includes('no more texts'));
    let late = 0;
    for (const person of stopping) {
      const at = acknowledged.get(sids.get(person) ?? '') ?? 0;
      expect(at).toBeGreaterThan(0);
      expect(confirmations(person)).toHaveLength(1);
      late += creates.filter(
        (create) =>
          create.to === person &&
          create.receivedAtMs > at &&
          !confirmations(person).includes(create),
      ).length;
    }
    expect(late).toBe(0);
    // Both kinds were among them: those who had their text already, and those who never got one.
    const reached = new Set(texted(await firstTexts('503')));
    expect(stopping.some((person) => reached.has(person))).toBe(true);
    expect(stopping.some((person) => !reached.has(person))).toBe(true);
    expect((await stack.states(campaign))['skipped']).toBe(
      stopping.filter((person) => !reached.has(person)).length,
    );
  });

  test('whose worker is killed finishes after a restart, with no second create for any text', async () => {
    // Answers are on their way when the worker dies, and no report comes: only the list can tell.
    await stack.steer('PUT', 'settings', { latencyMs: 300 });
    await stack.steer('POST', 'faults', { fault: 'drop-callbacks', times: 10_000 });
    const campaign = await stack.launch({
      name: 'kill',
      csv: peopleCsv('602', 300),
      senders: 4,
      segmentsPerSecond: 15,
      replyWindowSeconds: 1,
    });
    await waitUntil(async () => ((await stack.states(campaign))['accepted'] ?? 0) >= 100, {
      what: '100 accepted texts',
    });
    await stack.part('worker-1').kill();
    expect(await stack.part('worker-1').ended()).toBe('SIGKILL');
    expect((await stack.states(campaign))['sending']).toBeGreaterThan(0);
    await stack.part('worker-1').start();
    const report = await stack.finished(campaign, 60_000);
    await stack.steer('PUT', 'settings', { latencyMs: 0 });
    expect(report.sumsAgree).toBe(true);
    const created = (await stack.creates()).filter(({ to }) => to.startsWith('+1602'));
    const repeated = Object.values(countBy(created, ({ to, body }) => `${to} ${body}`)).filter(
      (n) => n > 1,
    );
    expect(repeated).toEqual([]);
    expect(texted(created)).toEqual(peopleNumbers('602', 300));
    // A row that was claimed but not posted when the worker died is lost, and another try took its place.
    expect(await stack.states(campaign)).toMatchObject({ accepted: 300 });
  });
});

test('all texts of these campaigns are exported by a workflow', async () => {
  const schema = z.object({
    id: z.string(),
    state: z.string(),
    createdAt: z.string(),
    rows: z.object({ done: z.int() }),
  });
  const wish = { kind: 'messages', format: 'csv' };
  const { id, createdAt } = await stack.api.post('/v1/exports', schema, wish);
  const read = async () => stack.api.get(`/v1/exports/${id}`, schema);
  await waitUntil(async () => (await read()).state === 'finished', { what: 'the export' });
  const [row] = await stack.database.query<{ n: number }>(
    'select count(*)::int as n from message where created_at <= $1::timestamptz',
    createdAt,
  );
  expect(row?.n).toBeGreaterThan(500);
  expect((await read()).rows.done).toBe(row?.n);
});

describe('the histories of all these runs', () => {
  test('replay, and hold no number and no text', async () => {
    const workflowBundle = await bundleWorkflows();
    const bodies = await stack.database.query<{ body: string }>(
      'select distinct body from message where length(body) >= 12',
    );
    const numbers = await stack.database.query<{ digits: string }>(
      `select distinct substr(n, 2) as digits from (select e164 as n from contact union select e164 from sender) t`,
    );
    const forbidden = [...bodies.map(({ body }) => body), ...numbers.map(({ digits }) => digits)];
    const all: { workflowId: string; history: unknown }[] = [];
    const found: string[] = [];
    for await (const { workflowId, history } of stack.temporal.workflow
      .list()
      .intoHistories({ concurrency: 10 })) {
      const json = toJson(history as Parameters<typeof toJson>[0]);
      all.push({ workflowId, history: json });
      found.push(
        ...findPersonal({ workflowId, json }, forbidden).map((text) => `${workflowId}: ${text}`),
      );
    }
    expect(found).toEqual([]);
    const types = new Set(all.map(({ history }) => describeHistory(history).type));
    expect([...types].toSorted()).toEqual(
      [
        ARCHIVE_WORKFLOW,
        CAMPAIGN_WORKFLOW,
        CONVERSATION_WORKFLOW,
        EXPORT_WORKFLOW,
        IMPORT_WORKFLOW,
        MAINTENANCE_WORKFLOW,
        SENDER_POOL_WORKFLOW,
      ].toSorted(),
    );
    const failed: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, all)) {
      if (error !== undefined) failed.push(`${workflowId}: ${error.message}`);
    }
    expect(failed).toEqual([]);
    // What runs now: heartbeats and the details panel stand in no history.
    for await (const { workflowId, runId } of stack.temporal.workflow.list({
      query: 'ExecutionStatus="Running"',
    })) {
      const description = await stack.temporal.workflow
        .getHandle(workflowId, runId)
        .describe()
        .catch(() => null);
      expect(findPersonal(description?.raw, forbidden)).toEqual([]);
    }
    if (process.env['RECORD_HISTORIES'] === '1')
      await recordHistories(all.map(({ history }) => history));
  });
});

test('a worker that is asked to stop ends well', async () => {
  expect(await stack.part('worker-1').stop()).toBe('exit code 0');
});
