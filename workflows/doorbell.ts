import { condition, setHandler } from '@temporalio/workflow';
import { ringSignal } from './contract.ts';

/** Registers the workflow's one signal; rings while nobody waits are remembered as one. */
export function installDoorbell() {
  let rung = false;
  setHandler(ringSignal, () => {
    rung = true;
  });
  return {
    /** Forgets rings so far: what follows reads the rows, so it sees whatever they were for. */
    clear: (): void => {
      rung = false;
    },
    hasRung: (): boolean => rung,
    /** Waits for a ring, at most `ms`. */
    wait: async (ms: number): Promise<void> => {
      await condition(() => rung, Math.max(1, ms));
    },
  };
}
