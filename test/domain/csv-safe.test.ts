import { parse } from 'csv-parse/sync';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { csvLine, safeCell } from '../../domain/csv-safe.ts';

describe('a cell', () => {
  test.each([
    ['=1+1', "'=1+1"],
    ['+cmd', "'+cmd"],
    ['-2', "'-2"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\tx', "'\tx"],
    ['\rx', "'\rx"],
    ['  =1', "'  =1"],
    ['\u00a0=1', "'\u00a0=1"],
    ['\n=1', "'\n=1"],
    ['\u200b=1', "'\u200b=1"],
    ['＝1', "'＝1"],
    ['＋1', "'＋1"],
    ['－1', "'－1"],
    ['＠x', "'＠x"],
    ['+12125550123', '+12125550123'],
    ['+1212555012345678', "'+1212555012345678"],
    ['+12125550123=1', "'+12125550123=1"],
    ['plain = text', 'plain = text'],
    ['', ''],
  ])('%j is written as %j', (value, safe) => {
    expect(safeCell(value)).toBe(safe);
  });
});

describe('a line', () => {
  test('is as RFC 4180 wants it', () => {
    expect(csvLine(['a', 'b,c', 'd"e', 'f\ng', '', null, -3, ' h'])).toBe(
      'a,"b,c","d""e","f\ng",,,-3," h"\r\n',
    );
  });

  test('reads back as the cells it was made of', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 2 }), (cells) => {
        expect(parse(csvLine(cells))).toEqual([cells.map(safeCell)]);
      }),
    );
  });
});
