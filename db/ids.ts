import { createHash, randomBytes } from 'node:crypto';
import { derivedId } from '../domain/derived-id.ts';

/** The id of an effect, derived from what causes it: the same cause always meets the same row. */
export function causeId(atMs: number, ...cause: readonly (string | number)[]): string {
  return derivedId({ atMs, cause: JSON.stringify(cause) }, sha256);
}

/** A fresh id that sorts by time, for rows that nothing causes twice. */
export function newId(nowMs: number = Date.now()): string {
  return derivedId({ atMs: nowMs, cause: randomBytes(16).toString('hex') }, sha256);
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
