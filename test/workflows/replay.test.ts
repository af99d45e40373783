import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, test } from 'vitest';
import { bundleWorkflows } from '../../worker/bundle.ts';
import {
  ARCHIVE_WORKFLOW,
  CAMPAIGN_WORKFLOW,
  CONVERSATION_WORKFLOW,
  EXPORT_WORKFLOW,
  IMPORT_WORKFLOW,
  MAINTENANCE_WORKFLOW,
  SENDER_POOL_WORKFLOW,
} from '../../workflows/contract.ts';
import { describeHistory, findPersonal, readRecorded } from './histories.ts';

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: {
    logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) },
  },
});

let recorded: Awaited<ReturnType<typeof readRecorded>> = [];
beforeAll(async () => {
  recorded = await readRecorded();
});

describe('the recorded histories', () => {
  test('are there for every workflow, and small', () => {
    const types = new Set(recorded.map(({ history }) => describeHistory(history).type));
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
    expect(recorded.filter(({ bytes }) => bytes > 60_000)).toEqual([]);
  });

  test('replay on the workflows of today', async () => {
    const results = Worker.runReplayHistories(
      { workflowBundle: await bundleWorkflows() },
      recorded.map(({ name, history }) => ({ workflowId: name, history })),
    );
    const failed: string[] = [];
    let replayed = 0;
    for await (const { workflowId, error } of results) {
      replayed += 1;
      if (error !== undefined) failed.push(`${workflowId}: ${error.message}`);
    }
    expect(failed).toEqual([]);
    expect(replayed).toBe(recorded.length);
  });

  test('would not replay on other workflows: a changed history is noticed', async () => {
    const { history } = recorded.find(({ name }) => name.startsWith(CONVERSATION_WORKFLOW)) ?? {};
    const changed: unknown = JSON.parse(
      JSON.stringify(history).replaceAll('"takeTurn"', '"takeAnother"'),
    );
    const results = Worker.runReplayHistories({ workflowBundle: await bundleWorkflows() }, [
      { workflowId: 'changed', history: changed },
    ]);
    for await (const { error } of results) expect(error?.name).toBe('DeterminismViolationError');
  });

  test('hold no phone number', () => {
    for (const { name, history } of recorded)
      expect([name, findPersonal(history)]).toEqual([name, []]);
  });
});

describe('the search for what may not stand in a history', () => {
  const payload = (value: unknown) => ({
    input: { payloads: [{ data: Buffer.from(JSON.stringify(value)).toString('base64') }] },
  });

  test.each([
    ['in a payload', payload({ to: '+12125550123' })],
    ['in a failure', { failure: { message: 'could not text +447700900123' } }],
    ['in a heartbeat', { lastHeartbeatDetails: payload(['+12125550123']) }],
    ['as the name of a field', { '+12125550123': 1 }],
  ])('finds a number %s', (_, history) => {
    expect(findPersonal(history)).toHaveLength(1);
  });

  test('finds words of a text, and lets ids pass', () => {
    expect(
      findPersonal(payload({ body: 'Hi Ada, will you vote?' }), ['will you vote']),
    ).toHaveLength(1);
    expect(
      findPersonal(
        payload({ campaignId: '01947c5e-0000-8000-8000-123456789012', waitMs: 1_234_567_890_123 }),
      ),
    ).toEqual([]);
  });
});
