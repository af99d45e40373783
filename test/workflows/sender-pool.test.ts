import { describe, expect, test } from 'vitest';
import type { SendPlannedResult } from '../../activities/sending.ts';
import { ringSignal, SENDER_POOL_WORKFLOW } from '../../workflows/contract.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createGate, withWorkflows } from './support.ts';

const bench = withWorkflows();
const INPUT = { poolId: '00000000-0000-7000-8000-000000000002' };
const ASLEEP: SendPlannedResult = { asleep: true, waitMs: 0 };
const BUSY: SendPlannedResult = { asleep: false, waitMs: 0 };

/** Answers in turn; the last answer for ever. Notes when it was asked. */
function answering(...answers: SendPlannedResult[]) {
  const at: number[] = [];
  const seen: unknown[] = [];
  const sendPlanned = async (input: { readonly poolId: string }): Promise<SendPlannedResult> => {
    seen.push(input);
    at.push(await bench().env.currentTimeMs());
    return answers[at.length - 1] ?? ASLEEP;
  };
  return { at, seen, sendPlanned };
}

describe('a sender pool’s workflow', () => {
  test('sends slice after slice and ends when its pool is asleep', async () => {
    const { sendPlanned, seen } = answering(BUSY, BUSY, ASLEEP);
    await bench().run({ sendPlanned }, async () =>
      (await bench().start(SENDER_POOL_WORKFLOW, INPUT)).result(),
    );
    expect(seen).toEqual([INPUT, INPUT, INPUT]);
  });

  test('goes on when it was rung while its pool fell asleep', async () => {
    const gate = createGate();
    let calls = 0;
    const sendPlanned = async (): Promise<SendPlannedResult> => {
      calls += 1;
      if (calls === 1) await gate.opened;
      return ASLEEP;
    };
    await bench().run({ sendPlanned }, async () => {
      const pool = await bench().start(SENDER_POOL_WORKFLOW, INPUT);
      await waitUntil(() => calls === 1, { what: 'the first slice' });
      await pool.signal(ringSignal);
      gate.open();
      await pool.result();
    });
    expect(calls).toBe(2);
  });

  test.each([
    ['at most 5 s for rows that are due later', 60_000, 5_000],
    ['no longer than until the next row is due', 1_500, 1_500],
  ])('waits %s', async (_, waitMs, expected) => {
    const { sendPlanned, at } = answering({ asleep: false, waitMs }, ASLEEP);
    await bench().run({ sendPlanned }, async () =>
      (await bench().start(SENDER_POOL_WORKFLOW, INPUT)).result(),
    );
    const [first = 0, second = 0] = at;
    expect(second - first).toBeGreaterThanOrEqual(expected);
    expect(second - first).toBeLessThan(expected + 3_000);
  });

  test('continues as new after 200 slices and goes on', async () => {
    let calls = 0;
    const sendPlanned = async (): Promise<SendPlannedResult> => {
      calls += 1;
      return calls < 202 ? BUSY : ASLEEP;
    };
    await bench().run({ sendPlanned }, async () => {
      const pool = await bench().start(SENDER_POOL_WORKFLOW, INPUT);
      const { runId } = await pool.describe();
      await pool.result();
      const first = await bench().env.client.workflow.getHandle(pool.workflowId, runId).describe();
      expect(first.status.name).toBe('CONTINUED_AS_NEW');
    });
    expect(calls).toBe(202);
  });
});
