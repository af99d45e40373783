import { setImmediate } from 'node:timers/promises';
import { parse, CsvError } from 'csv-parse';
import { readBlob } from '../db/blobs.ts';
import type { Database } from '../db/client.ts';
import {
  endImport,
  findImport,
  findZoneSets,
  startImport,
  writeImportChunk,
  type ImportedPerson,
  type ImportRow,
  type RejectedRow,
  type ZoneSet,
} from '../db/imports.ts';
import { mapColumns, type ColumnMapping } from '../domain/columns.ts';
import { parsePhone } from '../domain/phone-number.ts';
import { placesForPhone } from '../domain/jurisdictions.ts';
import { zonesForPhone } from '../domain/texting-hours.ts';
import { faultPoint } from '../faults/points.ts';
import type { ActivityDeps } from './deps.ts';

export interface RunImportResult {
  readonly state: string;
  readonly rows: number;
}

const ROWS_A_CHUNK = 2_000;
/** Chunks that wait to be written while more is read. */
const CHUNKS_AHEAD = 2;
const ROWS_A_TURN = 200;
/** One row, all its cells; a 5 MB cell is a broken file, not a name. */
const MAX_ROW_BYTES = 65_536;
const MAX_COLUMNS = 500;

/** The file cannot be imported, and why, in words for the person who uploaded it. */
class BadFileError extends Error {
  readonly row: number | null;
  constructor(message: string, row: number | null) {
    super(message);
    this.row = row;
  }
}

interface Chunk {
  readonly fromRow: number;
  toRow: number;
  toByte: number;
  people: (Omit<ImportedPerson, 'zoneSetId'> & ZoneSet)[];
  rejects: RejectedRow[];
}

/** What the rows of one chunk hold so far: of numbers, the row that named them. */
interface Seen {
  readonly numbers: Map<string, number>;
  readonly externalIds: Set<string>;
}

export function createImportActivities(deps: ActivityDeps) {
  const { database } = deps;
  return {
    /**
     * Imports a file from where its cursor stands. Key: (import, cursor): each chunk's rows, verdicts
     * and cursor are one statement, so a killed worker's successor adds nothing twice.
     */
    runImport: async (input: { readonly importId: string }): Promise<RunImportResult> => {
      const row = await findImport(database, input.importId);
      if (row === null) return { state: 'unknown', rows: 0 };
      if (row.state !== 'queued' && row.state !== 'running')
        return { state: row.state, rows: row.cursor_row };
      try {
        const state = row.cancel_requested ? 'cancelled' : await importRows(deps, row);
        await endImport(database, { importId: row.id, state, problem: null, problemRow: null });
      } catch (error) {
        if (!(error instanceof BadFileError)) throw error;
        await endImport(database, {
          importId: row.id,
          state: 'failed',
          problem: error.message,
          problemRow: error.row,
        });
      }
      const ended = await findImport(database, row.id);
      return { state: ended?.state ?? 'unknown', rows: ended?.cursor_row ?? 0 };
    },
  };
}

async function importRows(deps: ActivityDeps, row: ImportRow): Promise<'finished' | 'cancelled'> {
  const header = await readHeader(deps, row);
  const mapped = mapColumns(header.cells);
  if (!mapped.ok) throw new BadFileError(mapped.problem, 1);
  await startImport(deps.database, row.id, mapped.mapping);
  const fromByte = Math.max(Number(row.cursor_byte), header.endByte);
  let chunk = emptyChunk(row.cursor_row, fromByte);
  let seen: Seen = { numbers: new Map(), externalIds: new Set() };
  let last: Promise<boolean> = Promise.resolve(false);
  const writing: Promise<boolean>[] = [];
  // For this run alone: a database that was restored gives its ids to other sets. A country has some hundreds.
  const zoneSetIds = new Map<string, number>();
  /** Hands on what was gathered, one chunk behind the other, while more is read; true when somebody cancelled. */
  const flush = async (): Promise<boolean> => {
    if (writing.length >= CHUNKS_AHEAD && (await writing.shift())) return true;
    const full = chunk;
    chunk = emptyChunk(full.toRow, full.toByte);
    seen = { numbers: new Map(), externalIds: new Set() };
    last = last.then(
      (isCancelled) => isCancelled || writeChunk(deps, row, { chunk: full, zoneSetIds }),
    );
    // Awaited later; until then nobody listens.
    last.catch(() => {});
    writing.push(last);
    return false;
  };
  try {
    for await (const { cells, endByte } of readRows(deps, row, {
      fromByte,
      fromRow: row.cursor_row,
      columns: header.cells.length,
    })) {
      chunk.toRow += 1;
      chunk.toByte = endByte;
      judge(chunk, { cells, mapping: mapped.mapping, row, seen });
      // Rows that are there already come without a turn of the event loop, and what is written would wait for it.
      if (chunk.toRow % ROWS_A_TURN === 0) await setImmediate();
      if (chunk.toRow - chunk.fromRow >= ROWS_A_CHUNK && (await flush())) return 'cancelled';
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

/** Returns whether somebody asked to cancel. */
async function writeChunk(
  { database }: ActivityDeps,
  row: ImportRow,
  { chunk, zoneSetIds }: { readonly chunk: Chunk; readonly zoneSetIds: Map<string, number> },
): Promise<boolean> {
  const people = await withZoneSets(database, chunk.people, zoneSetIds);
  faultPoint('import.storing');
  await writeImportChunk(database, { import: row, ...chunk, people });
  faultPoint('import.stored');
  return (await findImport(database, row.id))?.cancel_requested ?? true;
}

async function withZoneSets(
  database: Database,
  people: Chunk['people'],
  zoneSetIds: Map<string, number>,
): Promise<ImportedPerson[]> {
  const keyOf = ({ zones, places }: ZoneSet): string => `${zones.join()} ${places.join()}`;
  const missing = new Map<string, ZoneSet>();
  for (const person of people) {
    const key = keyOf(person);
    if (!zoneSetIds.has(key)) missing.set(key, person);
  }
  const ids = await findZoneSets(database, [...missing.values()]);
  for (const [index, key] of [...missing.keys()].entries()) {
    const id = ids[index];
    if (id !== undefined) zoneSetIds.set(key, id);
  }
  return people.map((person) => {
    const zoneSetId = zoneSetIds.get(keyOf(person));
    // Nothing else would notice: the column has no foreign key, and who has no zones has no hours.
    if (zoneSetId === undefined) throw new Error(`no zone set for ${keyOf(person)}`);
    return { ...person, zoneSetId };
  });
}

/** Decides one row: a person, or a reject with its reason. */
function judge(
  chunk: Chunk,
  {
    cells,
    mapping,
    row,
    seen,
  }: {
    cells: readonly string[];
    mapping: ColumnMapping;
    row: ImportRow;
    seen: Seen;
  },
): void {
  const rowNo = chunk.toRow;
  const phone = parsePhone(cells[mapping.phone] ?? '', row.default_country);
  if (!phone.ok) {
    chunk.rejects.push({ rowNo, reason: phone.reason, detail: phone.detail, duplicateOf: null });
    return;
  }
  const earlier = seen.numbers.get(phone.e164);
  if (earlier !== undefined) {
    chunk.rejects.push({
      rowNo,
      reason: 'duplicate',
      detail: `same number as row ${earlier}`,
      duplicateOf: earlier,
    });
    return;
  }
  seen.numbers.set(phone.e164, rowNo);
  const cell = (index: number | null): string => (index === null ? '' : clean(cells[index] ?? ''));
  const postcode = cell(mapping.postcode) || null;
  chunk.people.push({
    rowNo,
    e164: phone.e164,
    country: phone.country,
    firstName: cell(mapping.firstName),
    lastName: cell(mapping.lastName),
    externalId: unseen(shortId(cell(mapping.externalId)), seen.externalIds),
    postcode,
    fields: Object.fromEntries(
      mapping.fields
        .map(({ name, index }) => [name, cell(index)])
        .filter(([, value]) => value !== ''),
    ),
    zones: zonesForPhone({ ...phone, postcode }),
    places: placesForPhone({ ...phone, postcode }),
  });
}

async function readHeader(
  deps: ActivityDeps,
  row: ImportRow,
): Promise<{ cells: string[]; endByte: number }> {
  for await (const { cells, endByte } of readRows(deps, row, {
    fromByte: 0,
    fromRow: -1,
    columns: null,
  })) {
    if (cells.length > MAX_COLUMNS)
      throw new BadFileError(
        `The file has ${cells.length} columns; at most ${MAX_COLUMNS} are read.`,
        1,
      );
    return { cells, endByte };
  }
  throw new BadFileError('The file is empty.', null);
}

/** Parses rows strictly: quotes must close, rows must be as wide as the header. */
async function* readRows(
  deps: ActivityDeps,
  row: ImportRow,
  from: { readonly fromByte: number; readonly fromRow: number; readonly columns: number | null },
): AsyncGenerator<{ cells: string[]; endByte: number }> {
  const parser = parse({
    bom: from.fromByte === 0,
    max_record_size: MAX_ROW_BYTES,
    relax_column_count: true,
    skip_empty_lines: true,
    info: true,
  });
  const feed = (async () => {
    for await (const piece of readBlob(deps.database, {
      orgId: row.org_id,
      sha256: row.blob_sha256,
      fromByte: from.fromByte,
    })) {
      if (parser.destroyed) return;
      if (!parser.write(piece))
        await new Promise((resolve) => parser.once('drain', resolve).once('close', resolve));
    }
    parser.end();
  })();
  feed.catch((error: unknown) => parser.destroy(error as Error));
  let rowNo = from.fromRow;
  try {
    for await (const parsed of parser as AsyncIterable<{
      record: string[];
      info: { bytes: number };
    }>) {
      rowNo += 1;
      const { record, info } = parsed;
      if (from.columns !== null && record.length !== from.columns) {
        throw new BadFileError(
          `Row ${rowNo} has ${record.length} cells, the header has ${from.columns}.`,
          rowNo,
        );
      }
      if (record.some((cell) => cell.includes('\uFFFD'))) {
        throw new BadFileError(`Row ${rowNo} is not UTF-8. Save the file as "CSV UTF-8".`, rowNo);
      }
      yield { cells: record, endByte: from.fromByte + info.bytes };
    }
  } catch (error) {
    if (error instanceof CsvError) {
      // The parser counts: rows that it had read, but not handed out yet, are gone.
      const badRow = from.fromRow + Number(error['records']) + 1;
      throw new BadFileError(csvProblem(error, badRow), badRow);
    }
    throw error;
  } finally {
    parser.destroy();
  }
}

function csvProblem(error: CsvError, rowNo: number): string {
  if (error.code === 'CSV_QUOTE_NOT_CLOSED')
    return `A quote that opens in row ${rowNo} is never closed.`;
  if (error.code === 'CSV_MAX_RECORD_SIZE') {
    return `Row ${rowNo} is longer than ${MAX_ROW_BYTES} bytes; a quote before it may be missing.`;
  }
  // The parser's own words would quote the cells.
  return `Row ${rowNo} is not valid CSV (${error.code}).`;
}

function emptyChunk(fromRow: number, toByte: number): Chunk {
  return { fromRow, toRow: fromRow, toByte, people: [], rejects: [] };
}

/** An index entry has a limit; an id that long is a misplaced column. */
function shortId(id: string): string | null {
  return id === '' || id.length > 200 ? null : id;
}

/** Of two rows with one external id, the first has it. */
function unseen(id: string | null, seen: Set<string>): string | null {
  if (id === null || seen.has(id)) return null;
  seen.add(id);
  return id;
}

/** Postgres takes no NUL; spaces around a cell are never meant. */
function clean(cell: string): string {
  return cell.replaceAll('\u0000', '').trim();
}
