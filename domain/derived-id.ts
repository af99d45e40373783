// domain/ holds the rules of texting: phones, segments, templates, hours, scripts, states.
// Everything here is a pure function of its arguments: no clock, no random, no network, no environment.

const MAX_TIME_MS = 2 ** 48 - 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Sorts before every id. */
export const NIL_ID = '00000000-0000-0000-0000-000000000000';
/** Sorts behind every id. */
export const MAX_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

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
  return idOfBits(atMs, sha256(cause));
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The same shape around any 74 bits: the first of these (10 bytes or more). */
function idOfBits(atMs: number, bits: Uint8Array): string {
  if (!Number.isInteger(atMs) || atMs < 0 || atMs > MAX_TIME_MS) {
    throw new RangeError(`could not derive an id at ${atMs} ms`);
  }
  if (bits.length < 10) throw new RangeError('could not derive an id from under 74 bits');
  const time = atMs.toString(16).padStart(12, '0');
  const at = (index: number): number => bits[index] ?? 0;
  const hex = (byte: number): string => HEX[byte & 0xff] ?? '';
  // The version and the variant stand between the bits: 12 before the variant, 62 behind it.
  const version = hex(0x80 | (at(0) >> 4)) + hex((at(0) << 4) | (at(1) >> 4));
  const variant = hex(0x80 | ((at(1) & 0x0f) << 2) | (at(2) >> 6));
  let rest = '';
  for (let index = 2; index < 9; index += 1) rest += hex((at(index) << 2) | (at(index + 1) >> 6));
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${variant}${rest.slice(0, 2)}-${rest.slice(2)}`;
}

/** Reads the instant back out of a derived id, in milliseconds since 1970. */
export function idTimeMs(id: string): number {
  const canonical = id.toLowerCase();
  if (!UUID.test(canonical)) throw new RangeError(`could not read the time of id ${id}`);
  return Number.parseInt(canonical.slice(0, 8) + canonical.slice(9, 13), 16);
}
