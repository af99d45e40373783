import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { measure, plainPunctuation } from '../../domain/segments.ts';

describe('segments', () => {
  test.each([
    { body: '', encoding: 'gsm7', units: 0, segments: 0 },
    { body: 'a'.repeat(160), encoding: 'gsm7', units: 160, segments: 1 },
    { body: 'a'.repeat(161), encoding: 'gsm7', units: 161, segments: 2 },
    { body: 'a'.repeat(306), encoding: 'gsm7', units: 306, segments: 2 },
    { body: 'a'.repeat(307), encoding: 'gsm7', units: 307, segments: 3 },
    { body: '€'.repeat(80), encoding: 'gsm7', units: 160, segments: 1 },
    { body: `${'a'.repeat(152)}€${'a'.repeat(152)}`, encoding: 'gsm7', units: 306, segments: 3 },
    { body: 'Ça va, né à l’', encoding: 'ucs2', units: 14, segments: 1 },
    { body: 'ç', encoding: 'ucs2', units: 1, segments: 1 },
    { body: 'Ç', encoding: 'gsm7', units: 1, segments: 1 },
    { body: 'é'.repeat(160), encoding: 'gsm7', units: 160, segments: 1 },
    { body: 'я'.repeat(70), encoding: 'ucs2', units: 70, segments: 1 },
    { body: 'я'.repeat(71), encoding: 'ucs2', units: 71, segments: 2 },
    { body: '👋'.repeat(35), encoding: 'ucs2', units: 70, segments: 1 },
    { body: `${'я'.repeat(66)}👋${'я'.repeat(66)}`, encoding: 'ucs2', units: 134, segments: 3 },
    { body: '`', encoding: 'ucs2', units: 1, segments: 1 },
    { body: 'a\tb', encoding: 'ucs2', units: 3, segments: 1 },
    { body: '\u001b', encoding: 'ucs2', units: 1, segments: 1 },
  ])('bill "$body" as $segments of $encoding', ({ body, ...expected }) => {
    expect(measure(body)).toMatchObject(expected);
  });

  test('agree with a slow count', () => {
    const character = fc.oneof(
      fc.constantFrom('a', ' ', 'é', '€', '[', '\n', 'Ω'),
      fc.constantFrom('a', 'b', 'c', '~', '|'),
      fc.constantFrom('я', '👋', '’', 'a', 'b', '€', '\ud83d'),
    );
    const body = fc.string({ unit: character, maxLength: 400, size: 'max' });
    const cheap = fc.string({ unit: fc.constantFrom('a', '€', '^'), maxLength: 400, size: 'max' });
    fc.assert(
      fc.property(fc.oneof(body, cheap), (text) => {
        const { encoding, units, segments } = measure(text);
        expect({ encoding, units, segments }).toEqual(slowMeasure(text));
      }),
      { numRuns: 500 },
    );
  });

  test('name the characters that made them dear, once each and at most ten', () => {
    expect(measure('it’s “here”, isn’t it').forcedBy).toEqual(['’', '“', '”']);
    expect(measure('абвгдежзийклмн').forcedBy).toHaveLength(10);
  });
});

describe('plain punctuation', () => {
  test.each([
    ['it’s “here” – now…', 'it\'s "here" - now...'],
    ['a\u00a0b\u202fc\td', 'a b c d'],
    ['zero\u200bwidth\ufeff \u2060soft\u00adhyphen', 'zerowidth softhyphen'],
    ['«oui»', '"oui"'],
    ['`code´', "'code'"],
    ['one\u2028two', 'one\ntwo'],
    ['a\u200db', 'ab'],
    ['👩\u200d👧 می\u200cخواهم', '👩\u200d👧 می\u200cخواهم'],
    ['ça va, señor', 'ça va, señor'],
  ])('turns "%s" into "%s"', (body, plain) => {
    expect(plainPunctuation(body)).toBe(plain);
  });

  test('never changes twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (body) => {
        const plain = plainPunctuation(body);
        expect(plainPunctuation(plain)).toBe(plain);
      }),
    );
  });
});

// From the table of 3GPP TS 23.038, by its own rows.
const GSM =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
  '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';

function slowMeasure(text: string) {
  const characters = Array.from(text);
  const extension = '\f^{}\\[~]|€';
  const isGsm = characters.every((each) => GSM.includes(each) || extension.includes(each));
  const widths = characters.map((each) =>
    isGsm ? 1 + Number(extension.includes(each)) : each.length,
  );
  const units = widths.reduce((sum, width) => sum + width, 0);
  const [single, multi] = isGsm ? [160, 153] : [70, 67];
  const pages: number[] = [0];
  for (const width of widths) {
    const page = pages.at(-1) ?? 0;
    if (page + width > multi) pages.push(width);
    else pages[pages.length - 1] = page + width;
  }
  const segments = units === 0 ? 0 : units <= single ? 1 : pages.length;
  return { encoding: isGsm ? 'gsm7' : 'ucs2', units, segments };
}
