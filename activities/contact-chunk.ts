/** Chunks of a contact file: its rows, each decided as a person or as a reject with its reason. */
import type { ImportedPerson, ImportRow, RejectedRow } from '../db/imports.ts';
import type { ColumnMapping } from '../domain/columns.ts';
import { placesForPhone } from '../domain/jurisdictions.ts';
import { parsePhone } from '../domain/phone-number.ts';
import { zonesForPhone } from '../domain/texting-hours.ts';
import type { FileRow } from './contact-file.ts';
import type { ZoneSets } from './zone-sets.ts';

export interface Chunk {
  readonly fromRow: number;
  readonly fromByte: number;
  toRow: number;
  toByte: number;
  readonly people: ImportedPerson[];
  readonly rejects: RejectedRow[];
  /** The numbers that it holds so far, and the row that named each. */
  readonly rowOfNumber: Map<string, number>;
  readonly externalIds: Set<string>;
}

export function emptyChunk(fromRow: number, fromByte: number): Chunk {
  return {
    fromRow,
    fromByte,
    toRow: fromRow,
    toByte: fromByte,
    people: [],
    rejects: [],
    rowOfNumber: new Map(),
    externalIds: new Set(),
  };
}

/** Decides the next row. */
export function addRow(
  chunk: Chunk,
  { cells, endByte }: FileRow,
  context: {
    readonly row: ImportRow;
    readonly mapping: ColumnMapping;
    readonly zoneSets: ZoneSets;
  },
): void {
  const { mapping } = context;
  chunk.toRow += 1;
  chunk.toByte = endByte;
  const rowNo = chunk.toRow;
  const phone = parsePhone(cells[mapping.phone] ?? '', context.row.default_country);
  if (!phone.ok) {
    chunk.rejects.push({ rowNo, reason: phone.reason, detail: phone.detail, duplicateOf: null });
    return;
  }
  const duplicateOf = chunk.rowOfNumber.get(phone.e164);
  if (duplicateOf !== undefined) {
    const detail = `same number as row ${duplicateOf}`;
    chunk.rejects.push({ rowNo, reason: 'duplicate', detail, duplicateOf });
    return;
  }
  chunk.rowOfNumber.set(phone.e164, rowNo);
  const postcode = cellAt(cells, mapping.postcode) || null;
  const place = { e164: phone.e164, country: phone.country, postcode };
  chunk.people.push({
    rowNo,
    e164: phone.e164,
    country: phone.country,
    firstName: cellAt(cells, mapping.firstName),
    lastName: cellAt(cells, mapping.lastName),
    externalId: unseen(shortId(cellAt(cells, mapping.externalId)), chunk.externalIds),
    postcode,
    fields: fieldsOf(cells, mapping),
    zoneSet: context.zoneSets.indexOf(zonesForPhone(place), placesForPhone(place)),
  });
}

function fieldsOf(cells: readonly string[], mapping: ColumnMapping): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const { name, index } of mapping.fields) {
    const value = cellAt(cells, index);
    if (value !== '') fields[name] = value;
  }
  return fields;
}

function cellAt(cells: readonly string[], index: number | null): string {
  const cell = index === null ? '' : (cells[index] ?? '');
  // Postgres takes no NUL, unit separators stand between cells on their way there, and spaces around are never meant.
  return cell.replaceAll('\u0000', '').replaceAll('\u001F', '').trim();
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
