import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { errorKind } from '../db/client.ts';
import type { ActivityLog } from './deps.ts';

type Activities = Readonly<Record<string, (input: never) => Promise<unknown>>>;

const BEAT_MS = 1_000;

/**
 * Wraps activities for the worker: they beat while they run, however long one statement takes, and what
 * they throw reaches Temporal's history as a name and an SQLSTATE only. Database errors quote the row
 * they are about, and a history must hold no number and no text.
 */
export function guardActivities<Guarded extends Activities>(
  activities: Guarded,
  log: ActivityLog,
): Guarded {
  const guarded = Object.entries(activities).map(([name, run]) => [
    name,
    guard(name, { run, log }),
  ]);
  return Object.fromEntries(guarded) as Guarded;
}

function guard(
  name: string,
  { run, log }: { run: (input: never) => Promise<unknown>; log: ActivityLog },
): (input: never) => Promise<unknown> {
  return async (input) => {
    const context = Context.current();
    const timer = setInterval(() => context.heartbeat(), BEAT_MS);
    try {
      return await run(input);
    } catch (error) {
      if (error instanceof CancelledFailure || error instanceof ApplicationFailure) throw error;
      log.error(
        { activity: name, error: String(error) },
        'an activity failed and will be tried again',
      );
      const kind = errorKind(error);
      throw ApplicationFailure.create({
        message: `${name} failed (${kind}); the log of the worker says more`,
        type: kind,
      });
    } finally {
      clearInterval(timer);
    }
  };
}
