import { WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import type { RunCampaignResult } from '../../activities/campaigns.ts';
import {
  CAMPAIGN_ID,
  CAMPAIGN_STATE,
  CAMPAIGN_WORKFLOW,
  ringSignal,
  setRateUpdate,
} from '../../workflows/contract.ts';
import { waitUntil } from '../support/wait-until.ts';
import { countEvents, createGate, withWorkflows } from './support.ts';

const bench = withWorkflows();
const INPUT = { campaignId: '00000000-0000-7000-8000-000000000001' };
const DAY_MS = 86_400_000;

function result(overrides: Partial<RunCampaignResult> = {}): RunCampaignResult {
  return { state: 'running', done: false, waitMs: DAY_MS, details: '**running**', ...overrides };
}

const DONE = result({ state: 'finished', done: true, waitMs: 0 });

describe('a campaign’s workflow', () => {
  test('looks at its campaign and ends when nothing is left to do', async () => {
    const seen: unknown[] = [];
    const runCampaign = async (input: { campaignId: string }): Promise<RunCampaignResult> => {
      seen.push(input);
      return DONE;
    };
    await bench().run({ runCampaign }, async () => {
      const campaign = await bench().start(CAMPAIGN_WORKFLOW, INPUT);
      await campaign.result();
      const { typedSearchAttributes } = await campaign.describe();
      expect(typedSearchAttributes.get(CAMPAIGN_ID)).toBe(INPUT.campaignId);
      expect(typedSearchAttributes.get(CAMPAIGN_STATE)).toBe('finished');
    });
    expect(seen).toEqual([INPUT]);
  });

  test('waits as long as the activity says', async () => {
    const at: number[] = [];
    const runCampaign = async (): Promise<RunCampaignResult> => {
      at.push(await bench().env.currentTimeMs());
      return at.length === 1 ? result({ waitMs: DAY_MS }) : DONE;
    };
    await bench().run({ runCampaign }, async () =>
      (await bench().start(CAMPAIGN_WORKFLOW, INPUT)).result(),
    );
    const [first = 0, second = 0] = at;
    expect(at).toHaveLength(2);
    expect(second - first).toBeGreaterThanOrEqual(DAY_MS);
    expect(second - first).toBeLessThan(DAY_MS + 60_000);
  });

  test('looks again at once when it is rung while it waits', async () => {
    let calls = 0;
    const runCampaign = async (): Promise<RunCampaignResult> => {
      calls += 1;
      return calls === 1 ? result() : DONE;
    };
    await bench().run({ runCampaign }, async () => {
      const campaign = await bench().start(CAMPAIGN_WORKFLOW, INPUT);
      await waitUntil(() => countEvents(campaign, 'timerStartedEventAttributes'), {
        what: 'its timer',
      });
      await campaign.signal(ringSignal);
      await campaign.result();
      expect(await countEvents(campaign, 'timerFiredEventAttributes')).toBe(0);
    });
    expect(calls).toBe(2);
  });

  test('looks again at once when it was rung during its activity', async () => {
    const gate = createGate();
    let calls = 0;
    const runCampaign = async (): Promise<RunCampaignResult> => {
      calls += 1;
      if (calls > 1) return DONE;
      await gate.opened;
      return result();
    };
    await bench().run({ runCampaign }, async () => {
      const campaign = await bench().start(CAMPAIGN_WORKFLOW, INPUT);
      await waitUntil(() => calls === 1, { what: 'the first look' });
      await campaign.signal(ringSignal);
      gate.open();
      await campaign.result();
      expect(await countEvents(campaign, 'timerStartedEventAttributes')).toBe(0);
    });
    expect(calls).toBe(2);
  });

  test('continues as new after 200 slices and goes on', async () => {
    let calls = 0;
    const runCampaign = async (): Promise<RunCampaignResult> => {
      calls += 1;
      return calls < 205 ? result({ waitMs: 0 }) : DONE;
    };
    await bench().run({ runCampaign }, async () => {
      const campaign = await bench().start(CAMPAIGN_WORKFLOW, INPUT);
      const { runId } = await campaign.describe();
      await campaign.result();
      const first = await bench()
        .env.client.workflow.getHandle(campaign.workflowId, runId)
        .describe();
      expect(first.status.name).toBe('CONTINUED_AS_NEW');
      expect((await campaign.describe()).status.name).toBe('COMPLETED');
      expect((await campaign.describe()).runId).not.toBe(runId);
    });
    expect(calls).toBe(205);
  });

  test('takes a new rate while it waits, and answers with it', async () => {
    const rates: unknown[] = [];
    let calls = 0;
    const runCampaign = async (): Promise<RunCampaignResult> => {
      calls += 1;
      return calls === 1 ? result() : DONE;
    };
    const setCampaignRate = async (rate: object): Promise<void> => void rates.push(rate);
    await bench().run({ runCampaign, setCampaignRate }, async () => {
      const campaign = await bench().start(CAMPAIGN_WORKFLOW, INPUT);
      const answer = await campaign.executeUpdate(setRateUpdate, {
        args: [{ segmentsPerSecond: 2.5 }],
      });
      expect(answer).toEqual({ segmentsPerSecond: 2.5 });
      await campaign.signal(ringSignal);
      await campaign.result();
    });
    expect(rates).toEqual([{ ...INPUT, segmentsPerSecond: 2.5 }]);
  });

  test('does not end before the new rate is set', async () => {
    const look = createGate();
    const rate = createGate();
    const done: string[] = [];
    const runCampaign = async (): Promise<RunCampaignResult> => {
      await look.opened;
      return DONE;
    };
    const setCampaignRate = async (): Promise<void> => {
      look.open();
      await rate.opened;
      done.push('rate');
    };
    await bench().run({ runCampaign, setCampaignRate }, async () => {
      const campaign = await bench().start(CAMPAIGN_WORKFLOW, INPUT);
      const update = campaign.executeUpdate(setRateUpdate, { args: [{ segmentsPerSecond: 1 }] });
      const ended = campaign.result().then(() => done.push('ended'));
      await waitUntil(() => countEvents(campaign, 'activityTaskCompletedEventAttributes'), {
        what: 'the last look',
      });
      rate.open();
      await Promise.all([update, ended]);
    });
    expect(done).toEqual(['rate', 'ended']);
  });

  test.each([0, -1, Number.NaN, 10_001, Number.POSITIVE_INFINITY])(
    'refuses a rate of %d without an event in its history',
    async (segmentsPerSecond) => {
      let calls = 0;
      const runCampaign = async (): Promise<RunCampaignResult> => {
        calls += 1;
        return calls === 1 ? result() : DONE;
      };
      await bench().run({ runCampaign }, async () => {
        const campaign = await bench().start(CAMPAIGN_WORKFLOW, INPUT);
        const update = campaign.executeUpdate(setRateUpdate, { args: [{ segmentsPerSecond }] });
        await expect(update).rejects.toBeInstanceOf(WorkflowUpdateFailedError);
        await campaign.signal(ringSignal);
        await campaign.result();
        expect(await countEvents(campaign, 'workflowExecutionUpdateAcceptedEventAttributes')).toBe(
          0,
        );
        expect(await countEvents(campaign, 'workflowExecutionUpdateCompletedEventAttributes')).toBe(
          0,
        );
      });
    },
  );
});
