import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mapColumns, MAX_EXTRA_FIELDS } from '../../domain/columns.ts';

describe('the columns of a list', () => {
  test('are found by name, and others become fields', () => {
    const header = [
      'Voter ID',
      'FIRST_NAME',
      'last name',
      'Cell Phone',
      'Email',
      'Zip Code',
      'Time Zone',
      '',
      'favoriteColor',
    ];
    expect(mapColumns(header)).toEqual({
      ok: true,
      mapping: {
        phone: 3,
        firstName: 1,
        lastName: 2,
        externalId: 0,
        postcode: 5,
        zone: 6,
        fields: [
          { name: 'email', index: 4 },
          { name: 'favorite_color', index: 8 },
        ],
      },
    });
  });

  test.each([
    'phone',
    'Phone Number',
    'PHONE_NUMBER',
    'mobile',
    'Cell',
    '\ufeffphone',
    'Téléfono',
    'tel.',
    'MSISDN',
  ])('have a phone in "%s"', (name) => {
    expect(mapColumns(['x', name])).toMatchObject({
      ok: true,
      mapping: { phone: 1, firstName: null },
    });
  });

  test('prefer the cell phone where there are several', () => {
    const result = mapColumns(['Home Phone', 'Phone', 'Cell']);
    expect(result).toMatchObject({
      mapping: { phone: 2, fields: [{ name: 'home_phone' }, { name: 'phone_2' }] },
    });
  });

  test.each([
    [['phone', 'City', 'city'], 'Two columns are named "city".'],
    [['phone', 'First Name', 'first_name'], 'Two columns are named "first_name".'],
    [['name', 'email'], 'No column is named like a phone number, such as "phone" or "cell".'],
    [[], 'No column is named like a phone number, such as "phone" or "cell".'],
    [
      ['phone', ...Array.from({ length: MAX_EXTRA_FIELDS + 1 }, (_, index) => `c${index}`)],
      'There are 51 extra columns; at most 50 can be kept.',
    ],
  ])('of %j cannot be used', (header, problem) => {
    expect(mapColumns(header)).toEqual({ ok: false, problem });
  });

  test.each([
    ['__proto__', 'field_proto'],
    ['constructor', 'field_constructor'],
    ['2026 Vote', 'field_2026_vote'],
    ['Straße / №', 'stra_e_no'],
    ['名前', 'column_2'],
  ])('name "%s" safely', (name, field) => {
    const result = mapColumns(['phone', name]);
    const names = result.ok ? result.mapping.fields.map((each) => each.name) : [];
    expect(names).toEqual([field]);
  });

  test('give fields distinct names that a template can use', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 20 }), (names) => {
        const result = mapColumns(['phone', ...names]);
        if (!result.ok) return;
        const fields = result.mapping.fields.map(({ name }) => name);
        expect(new Set(fields).size).toBe(fields.length);
        for (const field of fields) expect(field).toMatch(/^[a-z][a-z0-9_]{0,63}$/);
        expect(fields.some((field) => field in {})).toBe(false);
      }),
    );
  });
});
