import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { slices, steps } from './activity-options.ts';
import { CAMPAIGN_ID, CAMPAIGN_STATE, setRateUpdate, type CampaignInput } from './contract.ts';
import { installDoorbell } from './doorbell.ts';

const MAX_RATE = 10_000;
/** A run is ended after this many slices at the latest, so that each history stays small. */
const SLICES_A_RUN = 200;

/**
 * One campaign: waits for its start, lets activities freeze the audience and plan texts a little ahead
 * of the senders, and finishes. Pause, resume and cancel happen in Postgres; a ring makes it look.
 * Continues as new after 200 slices or when Temporal suggests it, once its handlers have finished.
 */
export async function campaignWorkflow(input: CampaignInput): Promise<void> {
  const bell = installDoorbell();
  setHandler(
    setRateUpdate,
    async (rate) => {
      await steps.setCampaignRate({
        campaignId: input.campaignId,
        segmentsPerSecond: rate.segmentsPerSecond,
      });
      return { segmentsPerSecond: rate.segmentsPerSecond };
    },
    {
      validator: ({ segmentsPerSecond }) => {
        if (!(segmentsPerSecond > 0 && segmentsPerSecond <= MAX_RATE)) {
          throw ApplicationFailure.nonRetryable(
            `segmentsPerSecond must be above 0 and at most ${MAX_RATE}`,
            'rate-out-of-range',
          );
        }
      },
    },
  );
  let shown = '';
  for (let slice = 0; slice < SLICES_A_RUN && !workflowInfo().continueAsNewSuggested; slice += 1) {
    bell.clear();
    const result = await slices.runCampaign(input);
    setCurrentDetails(result.details);
    if (result.state !== shown) {
      upsertSearchAttributes([
        { key: CAMPAIGN_ID, value: input.campaignId },
        { key: CAMPAIGN_STATE, value: result.state },
      ]);
      shown = result.state;
    }
    if (result.done) {
      await condition(allHandlersFinished);
      return;
    }
    if (!bell.hasRung() && result.waitMs > 0) await bell.wait(result.waitMs);
  }
  await condition(allHandlersFinished);
  await continueAsNew<typeof campaignWorkflow>(input);
}
