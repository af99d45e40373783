/** Contact files as rows: where they are read from, and what makes one unreadable. */
import { finished } from 'node:stream/promises';
import { CsvError, Parser } from 'csv-parse';
import { readBlob } from '../db/blobs.ts';
import type { Database } from '../db/client.ts';
import type { ImportRow } from '../db/imports.ts';

/** One row, all its cells; a 5 MB cell is a broken file, not a name. */
const MAX_ROW_BYTES = 65_536;
const MAX_COLUMNS = 500;
/** Parsed without a pause, in some 3 ms: whoever sends in this process waits no longer. */
const PIECE_BYTES = 65_536;

/** The file cannot be imported, and why, in words for the person who uploaded it. */
export class BadFileError extends Error {
  readonly row: number | null;
  constructor(message: string, row: number | null) {
    super(message);
    this.row = row;
  }
}

export interface FileRow {
  readonly cells: readonly string[];
  /** Where the next row begins. */
  readonly endByte: number;
}

/**
 * Gathers rows instead of handing them on one by one: a stream of objects and `info` for each of them cost as much
 * as the parsing.
 */
class RowParser extends Parser {
  readonly #fromByte: number;
  #rows: FileRow[] = [];

  constructor(fromByte: number) {
    super({
      bom: fromByte === 0,
      max_record_size: MAX_ROW_BYTES,
      relax_column_count: true,
      skip_empty_lines: true,
    });
    this.#fromByte = fromByte;
  }

  override push(cells: string[] | null): boolean {
    if (cells === null) return super.push(null);
    this.#rows.push({ cells, endByte: this.#fromByte + this.info.bytes });
    return true;
  }

  takeRows(): FileRow[] {
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }
}

export async function readHeader(
  database: Database,
  row: ImportRow,
): Promise<{ cells: readonly string[]; endByte: number }> {
  for await (const [header] of readRows(database, row, { byte: 0, row: -1, columns: null })) {
    if (header === undefined) continue;
    const { cells } = header;
    if (cells.length > MAX_COLUMNS)
      throw new BadFileError(
        `The file has ${cells.length} columns; at most ${MAX_COLUMNS} are read.`,
        1,
      );
    return header;
  }
  throw new BadFileError('The file is empty.', null);
}

/** Reads on from a row and its byte, strictly: quotes must close, rows must be as wide as the header. */
export async function* readRows(
  database: Database,
  { org_id: orgId, blob_sha256: sha256 }: ImportRow,
  from: { readonly byte: number; readonly row: number; readonly columns: number | null },
): AsyncGenerator<readonly FileRow[]> {
  const parser = new RowParser(from.byte);
  let row = from.row;
  const taken = (): readonly FileRow[] => {
    const rows = parser.takeRows();
    for (const { cells } of rows) {
      row += 1;
      inspect(cells, { row, columns: from.columns });
    }
    return rows;
  };
  // Nothing is ever read from it: this lets it end.
  const ended = finished(parser.resume());
  ended.catch(() => {});
  try {
    for await (const blob of readBlob(database, { orgId, sha256, fromByte: from.byte })) {
      for (let at = 0; at < blob.length; at += PIECE_BYTES) {
        await write(parser, blob.subarray(at, at + PIECE_BYTES));
        yield taken();
      }
    }
    parser.end();
    await ended;
    yield taken();
  } catch (error) {
    if (error instanceof CsvError) {
      const badRow = from.row + Number(error['records']) + 1;
      throw new BadFileError(csvProblem(error, badRow), badRow);
    }
    throw error;
  } finally {
    parser.destroy();
  }
}

function write(parser: Parser, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    parser.write(piece, (error) => (error ? reject(error) : resolve()));
  });
}

function inspect(
  cells: readonly string[],
  { row, columns }: { readonly row: number; readonly columns: number | null },
): void {
  if (columns !== null && cells.length !== columns)
    throw new BadFileError(`Row ${row} has ${cells.length} cells, the header has ${columns}.`, row);
  if (cells.some((cell) => cell.includes('\uFFFD')))
    throw new BadFileError(`Row ${row} is not UTF-8. Save the file as "CSV UTF-8".`, row);
}

function csvProblem(error: CsvError, row: number): string {
  if (error.code === 'CSV_QUOTE_NOT_CLOSED')
    return `A quote that opens in row ${row} is never closed.`;
  if (error.code === 'CSV_MAX_RECORD_SIZE')
    return `Row ${row} is longer than ${MAX_ROW_BYTES} bytes; a quote before it may be missing.`;
  // The parser's own words would quote the cells.
  return `Row ${row} is not valid CSV (${error.code}).`;
}
