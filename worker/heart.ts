import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { beat, type Beat } from '../db/deployment.ts';
import { ringEverything } from '../db/outbox.ts';
import { createBeatMirror } from '../runtime/beat-mirror.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { ensureSchedules, ensureSearchAttributes, hasSchedules } from '../runtime/temporal.ts';
import { maintenanceScheduleId } from '../workflows/contract.ts';

/** Between two beats of the deployment's heart, in milliseconds. */
const BEAT_MS = 1_000;
/** Between two notes of the beat in Temporal, which costs more than a file. */
const NOTE_MS = 10_000;
/** Between two looks whether Temporal still has our schedules: a lost store is rebuilt from the rows. */
const STORE_CHECK_MS = 30_000;

interface TemporalSide {
  readonly connection: NativeConnection;
  readonly client: Client;
}

/**
 * Beats in Postgres and mirrors the beat outside of it, so that a restored database is known as such before
 * anything is sent from it. Notices what was missed: an outage of the database, a lost Temporal store.
 * `start` beats once and resolves after that: only then may this process claim.
 */
export function createHeart(runtime: Runtime, temporal: TemporalSide) {
  const { engine, log, config } = runtime;
  const mirror = createBeatMirror(config.BEAT_FILE ?? null, temporal.client);
  let known: Beat | null = null;
  let isSafe = false;
  let noteAt = 0;
  let checkAt = performance.now() + STORE_CHECK_MS;
  let timer: NodeJS.Timeout | null = null;

  const once = async (): Promise<void> => {
    const result = await beat(engine, known);
    known = result.beat;
    if (result.safeMode !== null && !isSafe) {
      log.error(
        { reason: result.safeMode },
        'SAFE MODE: the database was restored or replaced, and what was sent since is missing from it. Nothing is sent. Run: npm start -- recover',
      );
    }
    isSafe = result.safeMode !== null;
    await mirror.writeFile(known);
    if (result.gapNoticed) {
      log.warn({}, 'the database was away: accounts stay closed until their inbound gap is filled');
      await temporal.client.schedule
        .getHandle(maintenanceScheduleId('fill-inbound-gaps'))
        .trigger();
    }
    if (performance.now() >= noteAt) {
      noteAt = performance.now() + NOTE_MS;
      await mirror.writeTemporal(known);
    }
    if (performance.now() < checkAt) return;
    checkAt = performance.now() + STORE_CHECK_MS;
    await adoptStore(runtime, temporal);
  };

  /** Never two at once: a slow one must not be overtaken by what the next one knows. */
  const loop = (): void => {
    timer = setTimeout(() => {
      once()
        .catch((error: unknown) => log.warn({ error: String(error) }, 'a heartbeat failed'))
        .finally(() => {
          if (timer !== null) loop();
        });
    }, BEAT_MS);
  };

  return {
    /** Waits for Temporal's and the database's answers, however long they are away. */
    start: async (): Promise<void> => {
      for (;;) {
        try {
          known ??= await mirror.read();
          await once();
          break;
        } catch (error) {
          log.warn({ error: String(error) }, 'no first heartbeat yet');
          await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
        }
      }
      loop();
    },
    /** The last beat that this process saw: what is older was restored, and nothing is claimed from it. */
    knownBeat: (): Date => known?.beatAt ?? new Date(0),
    stop: (): void => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
    },
  };
}

/**
 * Makes Temporal's store ours: search attributes, and schedules. Where our schedules are missing the store
 * is new, so everything that the rows say should wait is rung first: a crash in between does it again.
 */
export async function adoptStore(runtime: Runtime, temporal: TemporalSide): Promise<void> {
  if (await hasSchedules(temporal.client)) return;
  await ensureSearchAttributes(temporal.connection, runtime.config.TEMPORAL_NAMESPACE);
  const rung = await ringEverything(runtime.engine);
  await ensureSchedules(temporal.client, runtime.config);
  runtime.log.info(
    { rung },
    'Temporal had no schedules of ours: rang every workflow that the rows say should wait',
  );
}
