import { continueAsNew, patched, workflowInfo } from '@temporalio/workflow';
import { local, localSends, sends, steps } from './activity-options.ts';
import type { ConversationInput } from './contract.ts';
import { installDoorbell } from './doorbell.ts';

const TURNS_A_RUN = 200;

/**
 * One person's conversation, while it has something to wait for: takes a turn, sends what the turn
 * planned, waits for a reply, a delivery report or the end of its window. Ends when a turn says so;
 * the next reply starts it again. Continues as new after 200 turns.
 */
export async function conversationWorkflow(input: ConversationInput): Promise<void> {
  const bell = installDoorbell();
  // Runs that began before turns, or what they send, were local go on as they began.
  const { takeTurn } = patched('local-turns') ? local : steps;
  const { sendMessage } = patched('local-sends') ? localSends : sends;
  for (let turns = 0; turns < TURNS_A_RUN && !workflowInfo().continueAsNewSuggested; turns += 1) {
    bell.clear();
    const turn = await takeTurn(input);
    for (const messageId of turn.sendIds) await sendMessage({ messageId });
    if (bell.hasRung()) continue;
    if (turn.done) return;
    await bell.wait(turn.waitMs);
  }
  await continueAsNew<typeof conversationWorkflow>(input);
}
