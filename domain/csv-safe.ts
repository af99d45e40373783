// What a spreadsheet takes for a formula (CWE-1236), also behind spaces and in its full-width forms.
const FORMULA_START = /^[\s\p{Cf}]*[=+\-@\t\r＝＋－＠]|^[ ]*[\t\r]/u;
const E164 = /^\+\d{7,15}$/;

/**
 * Disarms a cell that a spreadsheet would run as a formula, by a leading `'`.
 *
 * - `=HYPERLINK("…")` -> `'=HYPERLINK("…")`
 * - `+12125550123` -> itself
 */
export function safeCell(value: string): string {
  return FORMULA_START.test(value) && !E164.test(value) ? `'${value}` : value;
}

/** Writes one line of an RFC 4180 file, CRLF included, with every text cell disarmed; null is an empty cell. */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(cell: string | number | null): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  const safe = safeCell(cell);
  return /[",\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
