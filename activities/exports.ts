import { errorKind, isDataError } from '../db/client.ts';
import {
  endExport,
  findExport,
  isPurged,
  readExportPage,
  startExport,
  writeExportChunk,
  type ExportRow,
} from '../db/exports.ts';
import { exportHead, exportLines } from '../domain/message-export.ts';
import { faultPoint } from '../faults/points.ts';
import type { ActivityDeps } from './deps.ts';

export interface RunExportResult {
  readonly state: string;
  readonly rows: number;
}

type Deps = Pick<ActivityDeps, 'database' | 'storage'>;

export function createExportActivities(deps: Deps) {
  const { database } = deps;
  return {
    /**
     * Writes a file from where its cursor stands. Key: (export, cursor): each chunk and the cursor behind it are one statement,
     * so a killed worker's successor neither repeats a row nor leaves one out.
     */
    runExport: async (input: { readonly exportId: string }): Promise<RunExportResult> => {
      const row = await startExport(database, input.exportId);
      if (row !== null)
        await endExport(database, { exportId: row.id, ...(await attempt(deps, row)) });
      const ended = await findExport(database, input.exportId);
      return { state: ended?.state ?? 'unknown', rows: Number(ended?.rows_done ?? 0) };
    },
  };
}

/** How the export ends; what a later try may better is thrown. */
async function attempt(
  deps: Deps,
  row: ExportRow,
): Promise<{ state: 'finished' | 'failed' | 'cancelled'; problem: string | null }> {
  try {
    const state = await writeFile(deps, row);
    // What was purged meanwhile is missing: a part must not pass for the whole.
    if (row.campaign_id !== null && (await isPurged(deps.database, row.campaign_id)))
      return { state: 'failed', problem: 'The texts of the campaign were purged.' };
    return { state, problem: null };
  } catch (error) {
    if (!isDataError(error)) throw error;
    return { state: 'failed', problem: `The file could not be stored (${errorKind(error)}).` };
  }
}

async function writeFile(
  { database, storage }: Deps,
  begun: ExportRow,
): Promise<'finished' | 'cancelled'> {
  let row = begun;
  while (row.state === 'running') {
    if (row.cancel_requested) return 'cancelled';
    const page = await readExportPage(database, row, storage);
    const style = { format: row.format, fullNumbers: row.full_numbers };
    const head = row.chunks === 0 ? exportHead(row.format) : '';
    const data = Buffer.from(head + exportLines(page.messages, style));
    const moved = await writeExportChunk(database, { row, page, data });
    faultPoint('export.stored');
    if (moved !== null && page.isLast) return 'finished';
    // Another worker, believed dead, is still at it: what it wrote is as good.
    row = moved ?? (await findExport(database, row.id)) ?? { ...row, state: 'unknown' };
  }
  return 'finished';
}
