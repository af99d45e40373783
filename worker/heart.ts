import { setTimeout as sleep } from 'node:timers/promises';
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
 * anything is sent from it. Notices what was missed: an outage of the database, a lost Temporal store. Temporal
 * is looked after by a loop of its own: an outage of it must not look like one of the database.
 * `start` beats once and resolves after that: only then may this process claim.
 */
export function createHeart(runtime: Runtime, temporal: TemporalSide) {
  const { engine, log, config } = runtime;
  const mirror = createBeatMirror(config.BEAT_FILE ?? null, temporal.client);
  let known: Beat | null = null;
  let isSafe = false;
  let gapToFill = false;
  let checkAt = performance.now() + STORE_CHECK_MS;
  const stop = new AbortController();

  const beatOnce = async (): Promise<void> => {
    const result = await beat(engine, known);
    known = result.beat;
    if (result.safeMode !== null && !isSafe) {
      log.error(
        { reason: result.safeMode },
        'SAFE MODE: the database was restored or replaced, and what was sent since is missing from it. Nothing is sent. Run: npm start -- recover',
      );
    }
    isSafe = result.safeMode !== null;
    if (result.gapNoticed) {
      gapToFill = true;
      log.warn({}, 'the database was away: accounts stay closed until their inbound gap is filled');
    }
    await mirror.writeFile(known);
  };

  /** Every second at most; a call that Temporal does not answer is given up. */
  const tellTemporal = async (): Promise<void> =>
    temporal.client.withDeadline(Date.now() + NOTE_MS, async () => {
      if (gapToFill) {
        await temporal.client.schedule
          .getHandle(maintenanceScheduleId('fill-inbound-gaps'))
          .trigger();
        gapToFill = false;
      }
      if (known !== null) await mirror.writeTemporal(known);
      if (performance.now() < checkAt) return;
      checkAt = performance.now() + STORE_CHECK_MS;
      await adoptStore(runtime, temporal);
    });

  /** Never two at once: a slow one must not be overtaken by what the next one knows. */
  const loop = async (work: () => Promise<void>, everyMs: () => number): Promise<void> => {
    while (!stop.signal.aborted) {
      await work().catch((error: unknown) =>
        log.warn({ error: String(error) }, 'a heartbeat failed'),
      );
      await pause(everyMs(), stop.signal);
    }
  };

  return {
    /** Waits for Temporal's and the database's answers, however long they are away, or until `stop`. */
    start: async (): Promise<void> => {
      while (known === null && !stop.signal.aborted) {
        try {
          const remembered = await mirror.read();
          known = remembered;
          await beatOnce();
        } catch (error) {
          known = null;
          log.warn({ error: String(error) }, 'no first heartbeat yet');
          await pause(BEAT_MS, stop.signal);
        }
      }
      void loop(beatOnce, () => BEAT_MS);
      void loop(tellTemporal, () => (gapToFill ? BEAT_MS : NOTE_MS));
    },
    /** The last beat that this process saw: what is older was restored, and nothing is claimed from it. */
    knownBeat: (): Date => known?.beatAt ?? new Date(0),
    stop: (): void => stop.abort(),
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
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
