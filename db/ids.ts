import { createHash, randomFillSync } from 'node:crypto';
import { derivedId, idOfBits } from '../domain/derived-id.ts';

/** The id of an effect, derived from what causes it: the same cause always meets the same row. */
export function causeId(atMs: number, ...cause: readonly (string | number)[]): string {
  return derivedId({ atMs, cause: JSON.stringify(cause) }, sha256);
}

/** Random bytes are fetched for many ids at once: one call each cost more than the id itself. */
const pool = new Uint8Array(10 * 400);
let used = pool.length;

/** A fresh id that sorts by time, for rows that nothing causes twice. */
export function newId(nowMs: number = Date.now()): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 10;
  return idOfBits(nowMs, pool.subarray(used - 10, used));
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
