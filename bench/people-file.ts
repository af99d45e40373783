import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

const AREAS = [303, 404, 503, 602, 702, 310, 212, 617, 713, 206] as const;
const NAMES = ['Ada', 'Grace', 'José', 'Mary-Jane', 'Umar', 'Xiu', 'Olu', 'Anna Maria'] as const;
/** A number of each of these countries that its plan takes for a mobile one, the last six digits left open. */
const FOREIGN = ['+447700', '+33612', '+4915123', '+61412', '+525512', '+918123'] as const;

export interface PeopleFile {
  readonly rows: number;
  /** Rows whose number cannot be texted, and rows that repeat another's. */
  readonly bad: number;
  readonly duplicates: number;
  readonly bytes: number;
}

/** Writes a contact file of about a hundred bytes a row, as exports of other systems look. */
export async function writePeopleFile(
  file: string,
  { rows, foreign = false }: { readonly rows: number; readonly foreign?: boolean },
): Promise<PeopleFile> {
  const out = createWriteStream(file);
  let [bad, duplicates] = [0, 0];
  out.write('phone,first_name,last_name,external_id,zip,city,precinct,notes\n');
  for (let n = 0; n < rows; n += 1) {
    const isBad = n % 200 === 100;
    const isDuplicate = !isBad && n % 500 === 250;
    if (isBad) bad += 1;
    if (isDuplicate) duplicates += 1;
    const phone = isBad ? '555' : foreign ? foreignNumber(n) : number(isDuplicate ? n - 50 : n);
    const name = NAMES[n % NAMES.length] ?? '';
    const line = `${phone},${name},"Surname, ${n % 977}",VAN-${n},${foreign ? '' : '80202'},Springfield,P-${n % 4_096},"met at the door ${n % 9}"\n`;
    if (!out.write(line)) await once(out, 'drain');
  }
  out.end();
  await finished(out);
  return { rows, bad, duplicates, bytes: out.bytesWritten };
}

/** Written in three ways, as people type. */
function number(n: number): string {
  const area = AREAS[n % AREAS.length] ?? 303;
  const rest = String(2_000_000 + Math.floor(n / AREAS.length));
  if (n % 3 === 0) return `+1${area}${rest}`;
  return n % 3 === 1
    ? `(${area}) ${rest.slice(0, 3)}-${rest.slice(3)}`
    : `${area}.${rest.slice(0, 3)}.${rest.slice(3)}`;
}

function foreignNumber(n: number): string {
  const start = FOREIGN[n % FOREIGN.length] ?? FOREIGN[0];
  return start + String(Math.floor(n / FOREIGN.length)).padStart(6, '0');
}
