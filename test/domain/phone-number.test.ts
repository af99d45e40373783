import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePhone, parsePhoneByPlan, redactPhone } from '../../domain/phone-number.ts';

describe('a cell with one number', () => {
  test.each([
    ['(212) 555-0123', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['212.555.0123', 'us', '+12125550123', 'US', 'mobile-or-landline'],
    ['1-212-555-0123', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['+1 (416) 555-0123', 'GB', '+14165550123', 'CA', 'mobile-or-landline'],
    ['4165550123', 'US', '+14165550123', 'CA', 'mobile-or-landline'],
    ['２１２５５５０１２３', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['212-555-0123 x45', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['+12125550123;ext=45', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['212 555 0123 ext. 4', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['Cell: 212-555-0123', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['212-555-0123 (home)', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['2125550123.0', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['\u202a+12125550123\u202c', 'US', '+12125550123', 'US', 'mobile-or-landline'],
    ['07400 123456', 'GB', '+447400123456', 'GB', 'mobile'],
    ['+44 (0)7400 123456', 'US', '+447400123456', 'GB', 'mobile'],
    ['011 44 7400 123456', 'US', '+447400123456', 'GB', 'mobile'],
    ['0712 123456', 'KE', '+254712123456', 'KE', 'mobile'],
    ['+44 56 1234 5678', 'US', '+445612345678', 'GB', 'voip'],
    ['+1 876 210 1234', 'US', '+18762101234', 'JM', 'mobile'],
  ])('"%s" in %s is %s', (raw, home, e164, country, kind) => {
    expect(parsePhone(raw, home)).toEqual({ ok: true, e164, country, kind });
  });
});

describe('a cell without one number', () => {
  test.each([
    ['', 'missing'],
    ['  \u00a0', 'missing'],
    ['n/a', 'not-a-number'],
    ['-', 'not-a-number'],
    ['call me maybe', 'not-a-number'],
    ['room 12, 3rd floor', 'not-a-number'],
    ['555-0123', 'too-short'],
    ['12345', 'too-short'],
    ['212555012345', 'too-long'],
    ['1'.repeat(300), 'too-long'],
    ['1125550123', 'impossible'],
    ['+999 212 555 0123', 'impossible'],
    ['1.21255E+10', 'excel-damage'],
    ['2.125551e+9', 'excel-damage'],
    ['2,12555E+09', 'excel-damage'],
    ['#N/A', 'excel-damage'],
    ['########', 'excel-damage'],
    ['212-555-0123 / 718-555-0145', 'several-numbers'],
    ['2125550123;7185550145', 'several-numbers'],
    ['2125550123 or 7185550145', 'several-numbers'],
    ['2125550123 & 7185550145', 'several-numbers'],
    ['2125550123\n7185550145', 'several-numbers'],
    ['2125550123, 555-0145', 'several-numbers'],
    ['2125550123 7185550145', 'several-numbers'],
    ['1-800-356-9377', 'unreachable-kind'],
    ['+1 900 234 5678', 'unreachable-kind'],
    ['911', 'unreachable-kind'],
    ['112', 'unreachable-kind'],
    ['+44 20 7946 0018', 'landline'],
    ['+44 70 1234 5678', 'unreachable-kind'],
    ['+800 1234 5678', 'unreachable-kind'],
  ])('"%s" is reported as %s', (raw, reason) => {
    expect(parsePhone(raw, 'US')).toMatchObject({ ok: false, reason });
  });

  test('says "impossible" of an unknown home country, and still reads full numbers', () => {
    expect(parsePhone('2125550123', 'ZZ').ok).toBe(false);
    expect(parsePhone('+12125550123', 'ZZ').ok).toBe(true);
  });
});

describe('the fast path', () => {
  const digits = (length: number) =>
    fc.string({
      unit: fc.constantFrom(...'0123456789'.split('')),
      minLength: length,
      maxLength: length,
    });
  // These share the first digits on which plans turn.
  const prefix = fc.oneof(
    fc.constantFrom(
      '212555',
      '416555',
      '305200',
      '305209',
      '505644',
      '505640',
      '730250',
      '622234',
      '500234',
      '800234',
      '876210',
      '310310',
      '211555',
      '911555',
    ),
    digits(6),
  );
  const spaced = fc.constantFrom('', ' ', '-', '.', ') ', '  ', '(', ' - ');
  const cell = fc
    .tuple(
      fc.constantFrom('', '1', '+1', '+', '+1 (', '('),
      prefix,
      spaced,
      digits(4),
      fc.constantFrom('', ' ', '.0', '-', ')', '5', ' x1'),
    )
    .map(
      ([before, six, between, four, after]) =>
        `${before}${six.slice(0, 3)}${between}${six.slice(3)}${between}${four}${after}`,
    );

  test('gives the answers of the full plan', () => {
    fc.assert(
      fc.property(cell, fc.constantFrom('US', 'CA', 'GB', 'JM'), (raw, country) => {
        const expected = parsePhoneByPlan(raw, country);
        expect(parsePhone(raw, country)).toEqual(expected);
        expect(parsePhone(raw, country)).toEqual(expected);
      }),
      { numRuns: 5000 },
    );
  });

  test('gives the answers of the full plan for one number in each area', () => {
    const areas = Array.from({ length: 800 }, (_, index) => String(200 + index));
    const differing = areas
      .flatMap((area) =>
        ['2345678', '5550123', '2000123', '9991234'].map((line) => `${area}${line}`),
      )
      .filter((raw) => {
        parsePhone(raw, 'US');
        return (
          JSON.stringify(parsePhone(raw, 'US')) !== JSON.stringify(parsePhoneByPlan(raw, 'US'))
        );
      });
    expect(differing).toEqual([]);
  });
});

test('any text gives an answer, and a number that was read is stable', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (raw) => {
      const result = parsePhone(raw, 'US');
      expect(result.ok ? parsePhone(result.e164, 'US') : result).toEqual(result);
    }),
  );
});

test.each([
  ['+12125550123', '***0123'],
  ['12345', '***'],
])('%s is logged as %s', (e164, redacted) => {
  expect(redactPhone(e164)).toBe(redacted);
});
