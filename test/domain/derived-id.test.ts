import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { derivedId, idTimeMs } from '../../domain/derived-id.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest();
const aTime = fc.integer({ min: 0, max: 2 ** 48 - 1 });

describe('a derived id', () => {
  test('is the same for the same cause, in every release', () => {
    const id = derivedId({ atMs: 1_767_225_600_000, cause: 'campaign text 1' }, sha256);
    expect(id).toBe('019b76da-a800-8c4b-8fa8-d35341515c78');
  });

  test('is a UUID of version 8 that holds its time', () => {
    fc.assert(
      fc.property(aTime, fc.string(), (atMs, cause) => {
        const id = derivedId({ atMs, cause }, sha256);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(idTimeMs(id)).toBe(atMs);
        expect(idTimeMs(id.toUpperCase())).toBe(atMs);
      }),
    );
  });

  test('carries the first 74 bits of the hash of its cause', () => {
    fc.assert(
      fc.property(fc.string(), (cause) => {
        const bits = [...sha256(cause)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
        const id = derivedId({ atMs: 0, cause }, sha256).replaceAll('-', '');
        const own = id
          .split('')
          .map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0'));
        const idBits = own.join('');
        expect(idBits.slice(52, 64) + idBits.slice(66)).toBe(bits.slice(0, 74));
      }),
    );
  });

  test('sorts by its time', () => {
    fc.assert(
      fc.property(aTime, aTime, (left, right) => {
        fc.pre(left < right);
        const earlier = derivedId({ atMs: left, cause: 'a' }, sha256);
        expect(earlier < derivedId({ atMs: right, cause: 'b' }, sha256)).toBe(true);
      }),
    );
  });

  test.each([-1, 0.5, 2 ** 48, Number.NaN])('has no time of %d ms', (atMs) => {
    expect(() => derivedId({ atMs, cause: '' }, sha256)).toThrow(RangeError);
  });

  test('refuses to read a time from what is no id', () => {
    expect(() => idTimeMs('019b76da')).toThrow('could not read the time of id 019b76da');
  });
});
