// domain/ holds the rules of texting: phones, segments, templates, hours, scripts, states.
// Everything here is a pure function of its arguments: no clock, no random, no network, no environment.

const MAX_TIME_MS = 2 ** 48 - 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Sorts before every id. */
export const NIL_ID = '00000000-0000-0000-0000-000000000000';
const MAX_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * Derives a UUID of version 8 from what caused a row, so that planning the same cause twice meets the same key.
 *
 * 48 bits are `atMs` (milliseconds since 1970, an integer), 74 bits are the first bits of SHA-256(cause);
 * ids of later times sort later.
 */
export function derivedId(
  { atMs, cause }: { atMs: number; cause: string },
  sha256: (s: string) => Uint8Array,
): string {
  if (!Number.isInteger(atMs) || atMs < 0 || atMs > MAX_TIME_MS) {
    throw new RangeError(`could not derive an id at ${atMs} ms`);
  }
  const hash = [...sha256(cause).subarray(0, 10)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
    .slice(0, 74);
  if (hash.length < 74) throw new RangeError('could not derive an id from a hash under 74 bits');
  const time = atMs.toString(16).padStart(12, '0');
  const low = BigInt(`0b1000${hash.slice(0, 12)}10${hash.slice(12)}`)
    .toString(16)
    .padStart(20, '0');
  return [time.slice(0, 8), time.slice(8), low.slice(0, 4), low.slice(4, 8), low.slice(8)].join(
    '-',
  );
}

/** Reads the instant back out of a derived id, in milliseconds since 1970. */
export function idTimeMs(id: string): number {
  const canonical = id.toLowerCase();
  if (!UUID.test(canonical)) throw new RangeError(`could not read the time of id ${id}`);
  return Number.parseInt(canonical.slice(0, 8) + canonical.slice(9, 13), 16);
}

/**
 * Finds the least and greatest of the ids, the bounds that let a partitioned table be pruned.
 *
 * No ids give an empty range (`min` above `max`), which matches nothing.
 */
export function idRange(ids: readonly string[]): { min: string; max: string } {
  let min = MAX_ID;
  let max = NIL_ID;
  for (const id of ids) {
    const canonical = id.toLowerCase();
    if (canonical < min) min = canonical;
    if (canonical > max) max = canonical;
  }
  return { min, max };
}
