import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTemplate, render, templateFields } from '../../domain/template.ts';

function rendered(source: string, values: Record<string, string> = {}) {
  const parsed = parseTemplate(source);
  return parsed.ok ? render(parsed.template, values) : parsed;
}

describe('a template', () => {
  test.each([
    ['Hi {{first_name}}!', { first_name: 'Ana' }, 'Hi Ana!'],
    ['Hi {{ first_name | there }}!', {}, 'Hi there!'],
    ['Hi {{first_name|there}}!', { first_name: ' \u200b ' }, 'Hi there!'],
    ['Hi{{first_name|}}!', {}, 'Hi!'],
    ['{{a|x|y}}', {}, 'x|y'],
    ['{{a}}{{a}}', { a: '{{b}}' }, '{{b}}{{b}}'],
    ['{{a}}', { a: '$& $1' }, '$& $1'],
    ['a { b } c', {}, 'a { b } c'],
    ['  one\r\ntwo  ', {}, 'one\ntwo'],
    ['{{a}}', { a: 'x\u0000\u0007\u0085\u202ey\u2067z' }, 'xyz'],
    ['{{a}}', { a: 'e\u0301' }, 'é'],
    ['{{a}}', { a: 'half \ud83d pair' }, 'half  pair'],
    ['{{a}}', { a: 'O\'Brien & "Sons" <b>' }, 'O\'Brien & "Sons" <b>'],
  ])('"%s" with %o reads "%s"', (source, values, body) => {
    expect(rendered(source, values)).toEqual({ ok: true, body });
  });

  test.each([
    ['Hi {{first_name', 3],
    ['Hi }} there', 3],
    ['Hi {{}}', 3],
    ['Hi {{first name}}', 3],
    ['Hi {{{name}}}', 3],
    ['Hi {{a|{{b}}}}', 3],
    ['Hi {{a.b}}', 3],
    ['{{a}} {{b-c}}', 6],
    ['   ', 0],
    ['', 0],
    ['a'.repeat(1601), 1600],
  ])('"%s" has a problem at %d', (source, at) => {
    expect(parseTemplate(source)).toMatchObject({ ok: false, at });
  });

  test('names each missing field once', () => {
    const values = { b: '', c: 'x' };
    expect(rendered('{{a}} {{a}} {{b}} {{c}}', values)).toMatchObject({
      ok: false,
      missing: ['a', 'b'],
    });
  });

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'finds no value for %s on the prototype',
    (field) => {
      expect(rendered(`{{${field}}}`)).toMatchObject({ ok: false, missing: [field] });
    },
  );

  test('refuses a body that is too long or empty', () => {
    expect(rendered('{{a}}!', { a: 'x'.repeat(1600) })).toMatchObject({ problem: 'too-long' });
    expect(rendered('{{a|}}')).toMatchObject({ problem: 'empty' });
  });

  test('lists its fields in order', () => {
    const parsed = parseTemplate('{{b}} {{a|x}} {{b}}');
    expect(parsed.ok && templateFields(parsed.template)).toEqual(['b', 'a']);
  });

  test('gives plain text back as it is, whatever it holds', () => {
    const word = fc
      .string({ minLength: 1 })
      .filter((text) => !/\{\{|\}\}/.test(text) && text.trim() === text);
    fc.assert(
      fc.property(word, (text) => {
        expect(rendered('{{v}}', { v: text })).toEqual(rendered(text));
      }),
    );
  });

  test('never sends a control character but the line feed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (v) => {
        const result = rendered('x{{v|}}', { v });
        expect(
          result.ok &&
            'body' in result &&
            /(?!\n)[\p{Cc}\p{Bidi_Control}\p{Cs}]/u.test(result.body),
        ).toBe(false);
      }),
    );
  });
});
