import {
  beginDropping,
  beginMonth,
  detachMonth,
  dropMonth,
  findMonth,
  finishVerifying,
  finishWriting,
  listMonths,
  type MonthRow,
} from '../db/archive-months.ts';
import {
  askForOldPurges,
  finishPurges,
  listDuePurges,
  notePurged,
  purgePrefix,
} from '../db/archive-purges.ts';
import {
  chunkKey,
  noteSlice,
  readDetachedSlice,
  readNextSlice,
  type KnownFile,
  type Slice,
  type SliceGroup,
  type StoredGroup,
} from '../db/archive-slices.ts';
import { isInSafeMode, readClock } from '../db/deployment.ts';
import { insertReport, type HousekeepingReport } from '../db/housekeeping-reports.ts';
import { decideMonth, type HeldMonth } from '../domain/retention.ts';
import { faultPoint } from '../faults/points.ts';
import { hashLines, packLines, unpackLines } from '../storage/archive-file.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import type { ActivityDeps } from './deps.ts';

/** Slices that one round writes or compares: some seconds of work. */
const SLICES_A_ROUND = 50;
/** Purges of one round. */
const PURGES_A_ROUND = 20;

export interface ArchiveRound {
  /** Whether there is more to do at once. */
  readonly more: boolean;
  /** Whether a month could not be locked: try again in a while. */
  readonly busy: boolean;
  readonly done: Readonly<Record<string, number>>;
  /** What stays though it is old, as this round saw it. */
  readonly held: readonly HeldMonth[];
}

type Done = Record<string, number>;
type Deps = Pick<ActivityDeps, 'database' | 'storage'> & {
  readonly settings: Pick<ActivityDeps['settings'], 'retention'>;
};

export function createArchiveActivities(deps: Deps) {
  return {
    /**
     * A bounded part of what is due: months written, detached, compared, dropped, the oldest first; then purges. Key: the state and
     * the cursor of each month, which move with the manifest; a file written twice is the same file. Rejects where a month failed.
     */
    archiveRound: async (): Promise<ArchiveRound> => {
      const { database } = deps;
      // A restored database may hold months that went since, and misses what was said meanwhile.
      if (await isInSafeMode(database)) return { more: false, busy: false, done: {}, held: [] };
      const { retention } = deps.settings;
      const now = await readClock(database);
      const held: HeldMonth[] = [];
      const failures: unknown[] = [];
      let busy = false;
      for (const month of await listMonths(database, retention.archiveAfterDays)) {
        const decision = decideMonth(month, retention, now);
        if (decision.action === 'wait') continue;
        if (decision.action === 'hold') {
          held.push(toHeld(month, decision.reason));
          continue;
        }
        const step = await STEPS[decision.action](deps, month).catch((error: unknown) => {
          failures.push(error);
          return 'failed' as const;
        });
        // A month that fails keeps neither the others nor purges; it is told once nothing else is left to do.
        if (step === 'failed') continue;
        if (step === 'busy' || step === 'open') {
          busy ||= step === 'busy';
          held.push(toHeld(month, step === 'busy' ? 'lock-busy' : 'open-texts'));
          continue;
        }
        return { more: true, busy: false, done: step, held };
      }
      const { done, more } = await purge(deps);
      if (failures.length > 0 && !more) throw failures[0];
      return { more, busy, done, held };
    },

    /** Keeps what a job did. A try that is repeated is a report more. */
    noteHousekeeping: (report: HousekeepingReport): Promise<void> =>
      insertReport(deps.database, report),
  };
}

type Step = (deps: Deps, month: MonthRow) => Promise<Done | 'busy' | 'open'>;

const STEPS: Readonly<Record<'write' | 'detach' | 'verify' | 'drop', Step>> = {
  write: async (deps, { month }) => {
    await beginMonth(deps.database, month);
    const done = await walk(deps, month, { state: 'writing', read: readNextSlice });
    await finishWriting(deps.database, month);
    return { slicesWritten: done.slices, filesWritten: done.files };
  },
  detach: async ({ database }, month) => {
    const outcome = await detachMonth(database, month);
    if (outcome !== 'detached') return outcome;
    faultPoint('archive.detached');
    return { partitionsDetached: 1 };
  },
  verify: async (deps, { month }) => {
    const done = await walk(deps, month, { state: 'detached', read: readDetachedSlice });
    const campaigns = await finishVerifying(deps.database, month);
    faultPoint('archive.verified');
    return {
      slicesVerified: done.slices,
      filesCorrected: done.files,
      campaignsArchived: campaigns,
    };
  },
  drop: async (deps, month) => {
    const { database, settings } = deps;
    let checked: Done = {};
    if (month.parent === 'message') {
      await beginDropping(database, month.month);
      const done = await walk(deps, month.month, { state: 'dropping', read: readDetachedSlice });
      checked = { slicesChecked: done.slices, filesRestored: done.files };
      // Files may have been lost since they were verified: the rows go only once every one was seen again.
      if (!done.isAtEnd) return checked;
    }
    const outcome = await dropMonth(database, month, settings.retention.graceDays);
    if (outcome === 'busy') return outcome;
    faultPoint('archive.dropped');
    return { ...checked, partitionsDropped: 1 };
  },
};

/** Stores a bounded number of slices from the cursor on; how many, how many files were not there before, and whether none is left. */
async function walk(
  { database, storage }: Deps,
  month: string,
  how: {
    readonly state: 'writing' | 'detached' | 'dropping';
    readonly read: typeof readNextSlice;
  },
): Promise<{ slices: number; files: number; isAtEnd: boolean }> {
  let [slices, files] = [0, 0];
  for (;;) {
    const at = await findMonth(database, month);
    const isAtEnd = at === null || at.state !== how.state || at.cursorId === at.endId;
    if (isAtEnd || slices === SLICES_A_ROUND) return { slices, files, isAtEnd };
    const slice = await how.read(database, at);
    const { stored, written } =
      how.state === 'dropping'
        ? { stored: [], written: await checkSlice(storage, slice) }
        : await storeSlice(storage, month, slice);
    // Another worker, believed dead, may still be at it: what it wrote is as good.
    await noteSlice(database, at, { slice, stored });
    faultPoint('archive.noted');
    slices += 1;
    files += written;
  }
}

async function storeSlice(
  storage: ObjectStorage,
  month: string,
  slice: Slice,
): Promise<{ stored: StoredGroup[]; written: number }> {
  const stored: StoredGroup[] = [];
  let written = 0;
  for (const group of slice.groups) {
    const sha256 = hashLines(Buffer.from(group.lines, 'utf8'));
    const key = chunkKey(group, { month, n: slice.n, sha256 });
    const file = await storeGroup(storage, { key, sha256 }, group);
    stored.push(file);
    if (file.isNew) written += 1;
  }
  return { stored, written };
}

/** Makes sure that a file holds these lines: by reading it, and where it does not, by writing it and reading it again. */
async function storeGroup(
  storage: ObjectStorage,
  { key, sha256 }: KnownFile,
  group: SliceGroup,
): Promise<StoredGroup & { readonly isNew: boolean }> {
  const before = await storage.get(key);
  if (before !== null && (await holds(before, sha256)))
    return { group, key, sha256, bytes: before.length, isNew: false };
  const data = await packLines(Buffer.from(group.lines, 'utf8'));
  await storage.put(key, data);
  const after = await storage.get(key);
  if (after === null || !(await holds(after, sha256)))
    throw new Error(`the storage does not hold what it was given for ${key}`);
  faultPoint('archive.stored');
  return { group, key, sha256, bytes: after.length, isNew: true };
}

/**
 * Makes sure that the files of a slice are as the manifest says, for the last time: one that is lost or damaged is written again.
 * Returns how many. The manifest stays as it is: rows cannot have changed since, but what is told beside them may be gone.
 */
async function checkSlice(storage: ObjectStorage, slice: Slice): Promise<number> {
  let written = 0;
  for (const [index, group] of slice.groups.entries()) {
    const known = slice.known[index];
    if (known == null) throw new Error(`texts of slice ${slice.n} are in no file`);
    const file = await storage.get(known.key);
    if (file !== null && (await holds(file, known.sha256))) continue;
    if (hashLines(Buffer.from(group.lines, 'utf8')) !== known.sha256)
      throw new Error(
        `the file ${known.key} is lost, and its rows cannot say any more what it held`,
      );
    await storeGroup(storage, known, group);
    written += 1;
  }
  return written;
}

/** Whether a file holds lines of this hash; a damaged one does not. */
async function holds(data: Buffer, sha256: string): Promise<boolean> {
  const lines = await unpackLines(data).catch(() => null);
  return lines !== null && hashLines(lines) === sha256;
}

async function purge({
  database,
  storage,
  settings,
}: Deps): Promise<{ done: Done; more: boolean }> {
  const { archivesKeptDays } = settings.retention;
  const asked = archivesKeptDays === 0 ? 0 : await askForOldPurges(database, archivesKeptDays);
  let files = 0;
  const dues = await listDuePurges(database, PURGES_A_ROUND);
  for (const due of dues) {
    for (const key of await storage.list(purgePrefix(due))) {
      await storage.delete(key);
      files += 1;
    }
    faultPoint('archive.purged');
    await notePurged(database, due);
  }
  const purged = await finishPurges(database);
  const done = { purgesBegun: asked, filesPurged: files, campaignsPurged: purged };
  return {
    done: Object.fromEntries(Object.entries(done).filter(([, n]) => n > 0)),
    more: dues.length > 0,
  };
}

function toHeld(month: MonthRow, reason: HeldMonth['reason']): HeldMonth {
  return {
    parent: month.parent,
    month: month.month,
    reason,
    campaigns: month.openCampaigns,
    campaignIds: month.campaignIds,
  };
}
