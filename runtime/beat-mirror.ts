import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Client, ScheduleAlreadyRunning, ScheduleNotFoundError } from '@temporalio/client';
import { z } from 'zod';
import type { Beat } from '../db/deployment.ts';
import { ENGINE_QUEUE, MAINTENANCE_WORKFLOW } from '../workflows/contract.ts';

/** A schedule that never fires: its note is the mirror, where operators see it too. */
const SCHEDULE_ID = 'deployment/beat';

const mirrorSchema = z.object({
  uid: z.uuid(),
  epoch: z.int(),
  beatAt: z.iso.datetime().transform((text) => new Date(text)),
  systemId: z.string(),
  timeline: z.string(),
});

/** Remembers the deployment's beat outside the database: in a file of this host and in Temporal. */
export interface BeatMirror {
  /** The newest beat that any mirror remembers; null when none does. Throws when Temporal cannot be asked. */
  read(): Promise<Beat | null>;
  writeFile(beat: Beat): Promise<void>;
  writeTemporal(beat: Beat): Promise<void>;
}

/** `file` null: Temporal alone remembers. */
export function createBeatMirror(file: string | null, client: Client): BeatMirror {
  return {
    read: async () => newest([await readBeatFile(file), await readNote(client)]),
    writeFile: async (beat) => {
      if (file === null) return;
      await mkdir(dirname(file), { recursive: true });
      // Whole or not at all; several processes of a host may write it.
      const own = `${file}.${process.pid}`;
      await writeFile(own, JSON.stringify(beat));
      await rename(own, file);
    },
    writeTemporal: (beat) => writeNote(client, JSON.stringify(beat)),
  };
}

function newest(beats: readonly (Beat | null)[]): Beat | null {
  return beats
    .filter((beat) => beat !== null)
    .reduce<Beat | null>((last, beat) => {
      if (last === null || beat.epoch > last.epoch) return beat;
      return beat.epoch === last.epoch && beat.beatAt > last.beatAt ? beat : last;
    }, null);
}

async function readBeatFile(file: string | null): Promise<Beat | null> {
  if (file === null) return null;
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return parse(text);
}

async function readNote(client: Client): Promise<Beat | null> {
  try {
    const { state } = await client.schedule.getHandle(SCHEDULE_ID).describe();
    return parse(state.note ?? '');
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

async function writeNote(client: Client, note: string): Promise<void> {
  const handle = client.schedule.getHandle(SCHEDULE_ID);
  try {
    await handle.update((previous) => ({ ...previous, state: { ...previous.state, note } }));
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
    await client.schedule
      .create({
        scheduleId: SCHEDULE_ID,
        spec: {},
        action: {
          type: 'startWorkflow',
          workflowType: MAINTENANCE_WORKFLOW,
          workflowId: SCHEDULE_ID,
          taskQueue: ENGINE_QUEUE,
          args: [{ job: 'housekeeping' }],
        },
        state: { paused: true, note },
      })
      .catch((raced: unknown) => {
        if (!(raced instanceof ScheduleAlreadyRunning)) throw raced;
      });
  }
}

/** A mirror that is not ours, or cut short, remembers nothing. */
function parse(text: string): Beat | null {
  try {
    const parsed = mirrorSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
