import { createHash, randomUUID } from 'node:crypto';
import { derivedId } from '../domain/derived-id.ts';

/** The id of an effect, derived from what causes it: the same cause always meets the same row. */
export function causeId(atMs: number, ...cause: readonly (string | number)[]): string {
  return derivedId({ atMs, cause: JSON.stringify(cause) }, sha256);
}

/** A fresh id that sorts by time, for rows that nothing causes twice. */
export function newId(nowMs: number = Date.now()): string {
  const time = nowMs.toString(16).padStart(12, '0');
  // The random bits of version 4 stand where version 8 may have any: 12 before the variant, 62 behind it.
  return `${time.slice(0, 8)}-${time.slice(8)}-8${randomUUID().slice(15)}`;
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
