/** Conversations in Temporal's plain shape: no ledger, no database, nothing is sent. */
import {
  condition,
  defineSignal,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
} from '@temporalio/workflow';

interface PlainActivities {
  nothing: () => Promise<void>;
}

const OPTIONS = { startToCloseTimeout: '10s' } as const;
const { nothing } = proxyActivities<PlainActivities>(OPTIONS);
const { nothing: nothingHere } = proxyLocalActivities<PlainActivities>(OPTIONS);

export const rung = defineSignal('rung');

/** Sends once, waits for its report, closes. */
export async function plainConversation(): Promise<void> {
  let reported = false;
  setHandler(rung, () => {
    reported = true;
  });
  await nothing();
  await condition(() => reported);
}

/** Started by the reply that it deals with. */
export async function plainTurn(): Promise<void> {
  setHandler(rung, () => {});
  await nothingHere();
}
