import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { mapColumns } from '../../domain/columns.ts';
import { parsePhone, PHONE_PROBLEMS } from '../../domain/phone-number.ts';
import { zonesForPhone } from '../../domain/texting-hours.ts';
import {
  CONTACTS_HEADER,
  DEFAULT_ROWS,
  DEFAULT_SEED,
  makeContacts,
} from '../../examples/make-contacts.ts';

const bytes = readFileSync(new URL('../../examples/contacts.csv', import.meta.url));
const [header = [], ...rows] = parse(bytes, { bom: true });

describe('the example list', () => {
  test('is what its seed makes', () => {
    const made = Buffer.from(
      [...makeContacts({ rows: DEFAULT_ROWS, seed: DEFAULT_SEED })].join(''),
    );
    expect(made.equals(bytes)).toBe(true);
  });

  test('is strict CSV of ten thousand rows under a known header', () => {
    expect(bytes.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]));
    expect(header).toEqual([...CONTACTS_HEADER]);
    expect(rows).toHaveLength(10_000);
    expect(mapColumns(header)).toMatchObject({
      mapping: { phone: 3, firstName: 1, lastName: 2, externalId: 0, postcode: 5 },
    });
  });

  test('has every kind of fault, each in a few rows of a thousand', () => {
    const counts = new Map<string, number>(PHONE_PROBLEMS.map((reason) => [reason, 0]));
    const seen = new Set<string>();
    let duplicates = 0;
    for (const row of rows) {
      const result = parsePhone(row[3] ?? '', 'US');
      if (!result.ok) counts.set(result.reason, (counts.get(result.reason) ?? 0) + 1);
      else if (seen.has(result.e164)) duplicates += 1;
      else seen.add(result.e164);
    }
    for (const [reason, count] of counts) {
      expect({ reason, some: count > 0 && count < 150 }).toEqual({ reason, some: true });
    }
    expect(duplicates).toBeGreaterThan(150);
    expect(seen.size).toBeGreaterThan(9000);
  });

  test('has names, notes and blanks as real lists have them', () => {
    const cells = rows.flat();
    const some = [
      /\n/,
      /\r\n/,
      /"/,
      /,/,
      /\p{Extended_Pictographic}/u,
      /\p{Script=Arabic}/u,
      /\p{Script=Hebrew}/u,
      /^=/,
      /^ /,
    ];
    expect(some.filter((pattern) => !cells.some((cell) => pattern.test(cell)))).toEqual([]);
    expect(rows.every((row) => row[10] === '')).toBe(true);
  });

  test('spreads over forty area codes and seven clocks', () => {
    const phones = rows.map((row) => parsePhone(row[3] ?? '', 'US')).filter((result) => result.ok);
    expect(new Set(phones.map(({ e164 }) => e164.slice(2, 5))).size).toBeGreaterThanOrEqual(40);
    expect(new Set(phones.flatMap(zonesForPhone)).size).toBeGreaterThanOrEqual(6);
  });
});

test('another seed makes another list', () => {
  const first = (seed: number) => [...makeContacts({ rows: 50, seed })].join('');
  expect(first(1)).toBe(first(1));
  expect(first(1)).not.toBe(first(2));
});
