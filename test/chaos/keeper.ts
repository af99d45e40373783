import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from '../support/stack/parts.ts';
import { drawFaultPoints } from './plan.ts';
import { createRandom } from './random.ts';
import type { Tally } from './tally.ts';

/** A process that cannot start, because Postgres is away, is tried again this soon. */
const AGAIN_MS = 300;

/** Starts a part again whenever it ends, armed by chance, until told that all is to heal. */
export function createKeeper(part: Part, { seed, tally }: { seed: number; tally: Tally }) {
  const random = createRandom(seed, part.name);
  const state = { isHealing: false, isOver: false };

  const loop = async (): Promise<void> => {
    while (!state.isOver) {
      const how = await part.ended();
      if (state.isOver) return;
      if (how !== 'SIGKILL') tally.add(`ended ${part.command}: ${how}`);
      const points = state.isHealing ? '' : drawFaultPoints(random, part.command);
      try {
        await part.start(points);
      } catch (error) {
        // Killed again before it served: the loop sees to it.
        if (!state.isOver && !String(error).includes('(SIGKILL)'))
          process.stderr.write(`${part.name}: ${String(error).slice(0, 400)}\n`);
        await sleep(AGAIN_MS);
      }
    }
  };
  const running = loop();

  return {
    part,
    /** From now on it starts unarmed. */
    heal: (): void => {
      state.isHealing = true;
      if (part.isRunning()) part.thaw();
    },
    stop: async (): Promise<void> => {
      state.isOver = true;
      if (part.isRunning()) await part.kill();
      await running;
    },
  };
}
export type Keeper = ReturnType<typeof createKeeper>;
