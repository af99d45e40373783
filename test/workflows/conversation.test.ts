import { describe, expect, test } from 'vitest';
import type { TurnResult } from '../../activities/conversations.ts';
import { CONVERSATION_WORKFLOW, ringSignal } from '../../workflows/contract.ts';
import { waitUntil } from '../support/wait-until.ts';
import { countEvents, createGate, withWorkflows, type FakeActivities } from './support.ts';

const bench = withWorkflows();
const INPUT = { conversationId: '00000000-0000-7000-8000-000000000003' };
const HOUR_MS = 3_600_000;

function turn(overrides: Partial<TurnResult> = {}): TurnResult {
  return { sendIds: [], state: 'automatic', done: false, waitMs: HOUR_MS, ...overrides };
}

const DONE = turn({ state: 'closed', done: true, waitMs: 0 });

/** Takes these turns one after the other, then the last again; `log` tells what was called, in order. */
function conversing(
  turns: readonly TurnResult[],
  hold: (messageId: string) => Promise<void> = async () => {},
) {
  const log: string[] = [];
  const activities: FakeActivities = {
    takeTurn: async () => {
      log.push('turn');
      return turns[log.filter((entry) => entry === 'turn').length - 1] ?? DONE;
    },
    sendMessage: async ({ messageId }) => {
      log.push(messageId);
      await hold(messageId);
      return 'accepted';
    },
  };
  return { log, activities };
}

describe('a conversation’s workflow', () => {
  test('sends what its turn planned, in order, and ends when the turn says so', async () => {
    const { log, activities } = conversing([turn({ ...DONE, sendIds: ['a', 'b', 'c'] })]);
    await bench().run(activities, async () =>
      (await bench().start(CONVERSATION_WORKFLOW, INPUT)).result(),
    );
    expect(log).toEqual(['turn', 'a', 'b', 'c']);
  });

  test('takes its next turn when its wait is over', async () => {
    const { log, activities } = conversing([turn({ sendIds: ['a'] }), DONE]);
    await bench().run(activities, async () => {
      const conversation = await bench().start(CONVERSATION_WORKFLOW, INPUT);
      await conversation.result();
      expect(await countEvents(conversation, 'timerFiredEventAttributes')).toBe(1);
    });
    expect(log).toEqual(['turn', 'a', 'turn']);
  });

  test('takes its next turn at once when it is rung', async () => {
    const { log, activities } = conversing([turn(), turn({ ...DONE, sendIds: ['a'] })]);
    await bench().run(activities, async () => {
      const conversation = await bench().start(CONVERSATION_WORKFLOW, INPUT);
      await waitUntil(() => log.length === 1, { what: 'the first turn' });
      await conversation.signal(ringSignal);
      await conversation.result();
      expect(await countEvents(conversation, 'timerFiredEventAttributes')).toBe(0);
    });
    expect(log).toEqual(['turn', 'turn', 'a']);
  });

  test.each([
    ['would have waited', turn({ sendIds: ['a'] })],
    ['would have ended', turn({ ...DONE, sendIds: ['a'] })],
  ])('does not lose a ring that comes during a send after which it %s', async (_, first) => {
    const gate = createGate();
    const { log, activities } = conversing([first, DONE], () => gate.opened);
    await bench().run(activities, async () => {
      const conversation = await bench().start(CONVERSATION_WORKFLOW, INPUT);
      await waitUntil(() => log.includes('a'), { what: 'the send' });
      await conversation.signal(ringSignal);
      gate.open();
      await conversation.result();
      expect(await countEvents(conversation, 'timerFiredEventAttributes')).toBe(0);
    });
    expect(log).toEqual(['turn', 'a', 'turn']);
  });

  test('takes one turn for many rings that came together', async () => {
    const gate = createGate();
    const { log, activities } = conversing([turn({ sendIds: ['a'] }), DONE], () => gate.opened);
    await bench().run(activities, async () => {
      const conversation = await bench().start(CONVERSATION_WORKFLOW, INPUT);
      await waitUntil(() => log.includes('a'), { what: 'the send' });
      for (let ring = 0; ring < 10; ring += 1) await conversation.signal(ringSignal);
      gate.open();
      await conversation.result();
    });
    expect(log).toEqual(['turn', 'a', 'turn']);
  });

  test('continues as new after 200 turns and goes on', async () => {
    const { log, activities } = conversing(
      Array.from({ length: 203 }, () => turn({ waitMs: 1_000 })),
    );
    await bench().run(activities, async () => {
      const conversation = await bench().start(CONVERSATION_WORKFLOW, INPUT);
      const { runId } = await conversation.describe();
      await conversation.result();
      const first = await bench()
        .env.client.workflow.getHandle(conversation.workflowId, runId)
        .describe();
      expect(first.status.name).toBe('CONTINUED_AS_NEW');
    });
    expect(log).toHaveLength(204);
  });
});
