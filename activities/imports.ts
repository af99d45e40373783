import { Context } from '@temporalio/activity';
import { setImmediate } from 'node:timers/promises';
import type { Database } from '../db/client.ts';
import {
  endImport,
  findImport,
  packImportChunk,
  startImport,
  writeImportChunk,
  type ImportRow,
  type PackedChunk,
} from '../db/imports.ts';
import { mapColumns } from '../domain/columns.ts';
import { faultPoint } from '../faults/points.ts';
import { addRow, emptyChunk, type Chunk } from './contact-chunk.ts';
import { BadFileError, readHeader, readRows } from './contact-file.ts';
import type { ActivityDeps } from './deps.ts';
import { createZoneSets } from './zone-sets.ts';

export interface RunImportResult {
  readonly state: string;
  readonly rows: number;
}

/** Planning one chunk's statement takes 4 ms, writing it 90. */
const ROWS_A_CHUNK = 5_000;
/** A row may have 64 kB: 5,000 such ones are no chunk. */
const BYTES_A_CHUNK = 2 ** 20;
/** Chunks that wait to be written while more is read. */
const CHUNKS_AHEAD = 1;
/** A process of its own takes a second to start, as long as the worker takes for some ten thousand rows. */
const APART_FROM_BYTES = 2 ** 20;

export function createImportActivities(deps: ActivityDeps) {
  const { database } = deps;
  return {
    /**
     * Imports a file from where its cursor stands. Key: (import, cursor): each chunk's rows, verdicts
     * and cursor are one statement, so a killed worker's successor adds nothing twice. Rejects where another worker moved the
     * cursor: whoever moved it last goes on.
     */
    runImport: async (input: { readonly importId: string }): Promise<RunImportResult> => {
      const row = await findImport(database, input.importId);
      if (row === null) return { state: 'unknown', rows: 0 };
      if (isOver(row)) return { state: row.state, rows: row.cursor_row };
      const { cancelled, cancellationSignal } = Context.current();
      if (row.total_bytes < APART_FROM_BYTES || row.cancel_requested)
        await importFile(database, row.id);
      else await Promise.race([deps.importApart(row.id, cancellationSignal), cancelled]);
      const ended = await findImport(database, row.id);
      return { state: ended?.state ?? 'unknown', rows: ended?.cursor_row ?? 0 };
    },
  };
}

/** Imports what is left of a file, and says how that ended. */
export async function importFile(database: Database, importId: string): Promise<void> {
  const row = await findImport(database, importId);
  if (row === null || isOver(row)) return;
  try {
    const state = row.cancel_requested ? 'cancelled' : await importRows(database, row);
    await endImport(database, { importId, state, problem: null, problemRow: null });
  } catch (error) {
    if (!(error instanceof BadFileError)) throw error;
    const { message: problem, row: problemRow } = error;
    await endImport(database, { importId, state: 'failed', problem, problemRow });
  }
}

function isOver({ state }: ImportRow): boolean {
  return state !== 'queued' && state !== 'running';
}

async function importRows(database: Database, row: ImportRow): Promise<'finished' | 'cancelled'> {
  const header = await readHeader(database, row);
  const mapped = mapColumns(header.cells);
  if (!mapped.ok) throw new BadFileError(mapped.problem, 1);
  await startImport(database, row.id, mapped.mapping);
  const zoneSets = createZoneSets(database);
  const context = { row, mapping: mapped.mapping, zoneSets };
  const fromByte = Math.max(Number(row.cursor_byte), header.endByte);
  let chunk = emptyChunk(row.cursor_row, fromByte);
  let last: Promise<boolean> = Promise.resolve(false);
  const writing: Promise<boolean>[] = [];
  /** Hands on what was gathered, one chunk behind the other, while more is read; true when somebody cancelled. */
  const flush = async (): Promise<boolean> => {
    if (writing.length >= CHUNKS_AHEAD && (await writing.shift())) return true;
    const packed = packImportChunk({ import: row, ...chunk, zoneSetIds: await zoneSets.ids() });
    chunk = emptyChunk(chunk.toRow, chunk.toByte);
    last = last.then((isCancelled) => isCancelled || writeChunk(database, packed));
    // Awaited later; until then nobody listens.
    last.catch(() => {});
    writing.push(last);
    return false;
  };
  const from = { byte: fromByte, row: row.cursor_row, columns: header.cells.length };
  try {
    for await (const rows of readRows(database, row, from)) {
      for (const each of rows) {
        addRow(chunk, each, context);
        if (isFull(chunk) && (await flush())) return 'cancelled';
      }
      // Rows that are there already come without a turn of the event loop, and what is written would wait for it.
      await setImmediate();
    }
    if (chunk.toRow > chunk.fromRow && (await flush())) return 'cancelled';
    if (await last) return 'cancelled';
  } finally {
    // A file that breaks off is not told to be over while its last chunk is on its way.
    await last.catch(() => {});
  }
  if (chunk.toRow === 0) throw new BadFileError('The file has a header but no rows.', 1);
  return 'finished';
}

function isFull({ fromRow, toRow, fromByte, toByte }: Chunk): boolean {
  return toRow - fromRow >= ROWS_A_CHUNK || toByte - fromByte >= BYTES_A_CHUNK;
}

/** Returns whether somebody asked to cancel. Rejects where the chunk is another's: going on would end the file before its last chunk. */
async function writeChunk(database: Database, chunk: PackedChunk): Promise<boolean> {
  faultPoint('import.storing');
  const outcome = await writeImportChunk(database, chunk);
  if (outcome === 'overtaken') throw new Error('another worker goes on with this import');
  faultPoint('import.stored');
  return outcome === 'cancelled';
}
