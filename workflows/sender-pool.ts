import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import { pool } from './activity-options.ts';
import type { SenderPoolInput } from './contract.ts';
import { installDoorbell } from './doorbell.ts';

const SLICES_A_RUN = 200;
/** A row that is due later is waited for this long at a time; whoever plans a sooner one does not ring. */
const LONGEST_WAIT_MS = 5_000;

/**
 * Sends a pool's planned texts in slices while there are any, then ends. Who plans a text for a
 * sleeping pool starts it again. Continues as new after 200 slices.
 */
export async function senderPoolWorkflow(input: SenderPoolInput): Promise<void> {
  const bell = installDoorbell();
  for (let slice = 0; slice < SLICES_A_RUN && !workflowInfo().continueAsNewSuggested; slice += 1) {
    bell.clear();
    const { asleep, waitMs } = await pool.sendPlanned(input);
    if (asleep && !bell.hasRung()) return;
    if (!asleep && waitMs > 0 && !bell.hasRung())
      await bell.wait(Math.min(waitMs, LONGEST_WAIT_MS));
  }
  await continueAsNew<typeof senderPoolWorkflow>(input);
}
