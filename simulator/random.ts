/** Chance that is the same for the same seed: nothing here depends on time or order. */

/** Draws a number in [0, 1) that depends only on the seed and the keys. */
export function chance(seed: number, ...keys: readonly (string | number)[]): number {
  return hash(`${seed}|${keys.join('|')}`, 0x811c9dc5) / 4_294_967_296;
}

/** Places a draw within a range. */
export function within(range: readonly [number, number], draw: number): number {
  return range[0] + (range[1] - range[0]) * draw;
}

/**
 * Creates Twilio-like ids: 32 hex digits after the prefix. `epoch` differs for each run, so that a
 * simulator without a journal never gives out an id twice.
 */
export function createSidMaker(seed: number, epoch: number) {
  let count = 0;
  return (prefix: string): string => {
    count += 1;
    const key = `${seed}|${epoch}|${count}`;
    const digits = [0x811c9dc5, 0x01000193, 0x9e3779b9].map((basis) => hex(hash(key, basis)));
    return `${prefix}${digits.join('')}${hex(count)}`;
  };
}

/** FNV-1a with MurmurHash3's finalizer, without which neighbouring phone numbers draw alike. */
function hash(text: string, basis: number): number {
  let value = basis;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
