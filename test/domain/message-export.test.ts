import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import {
  EXPORT_COLUMNS,
  exportHead,
  exportLines,
  type ExportedMessage,
} from '../../domain/message-export.ts';

const OUT: ExportedMessage = {
  id: '01900000-0000-8000-8000-000000000001',
  campaignId: '01900000-0000-8000-8000-000000000002',
  conversationId: null,
  direction: 'outbound',
  purpose: 'campaign',
  address: '+12125550123',
  sender: '+12125550100',
  body: 'Hi, "Ada"',
  segments: 1,
  state: 'accepted',
  reason: null,
  delivery: 'delivered',
  errorCode: null,
  providerMessageId: 'SM1',
  createdAt: '2026-11-25T10:00:00.000Z',
  dueAt: '2026-11-25T10:00:01.000Z',
  acceptedAt: '2026-11-25T10:00:02.000Z',
  finalAt: '2026-11-25T10:00:03.000Z',
  priceMicros: '9007199254740993',
  currency: 'USD',
};
const IN: ExportedMessage = { ...OUT, direction: 'inbound', body: '=1+1', sender: null };

const FULL = { fullNumbers: true } as const;
const toCsv = (...messages: ExportedMessage[]): Record<string, string>[] =>
  parse(exportHead('csv') + exportLines(messages, { format: 'csv', ...FULL }), { columns: true });
const toJson = (message: ExportedMessage, fullNumbers = true): Record<string, unknown> =>
  JSON.parse(exportLines([message], { format: 'ndjson', fullNumbers })) as Record<string, unknown>;

describe('an exported text', () => {
  test('has in CSV a cell for every column, empty where there is nothing', () => {
    const [row = {}] = toCsv(OUT);
    expect(Object.keys(row)).toEqual(EXPORT_COLUMNS);
    expect(row).toMatchObject({
      conversation_id: '',
      body: 'Hi, "Ada"',
      segments: '1',
      reason: '',
    });
  });

  test('has in NDJSON the same in camelCase, with null where there is nothing and money as text', () => {
    const { address, sender, ...rest } = OUT;
    expect(toJson(OUT)).toEqual({ ...rest, to: address, from: sender });
    expect(Object.keys(toJson(OUT)).map(toSnake)).toEqual(EXPORT_COLUMNS);
  });

  test('goes from the person to us when it came in', () => {
    expect([toJson(OUT)['from'], toJson(OUT)['to']]).toEqual(['+12125550100', '+12125550123']);
    expect([toJson(IN)['from'], toJson(IN)['to']]).toEqual(['+12125550123', null]);
  });

  test('shows of the person’s number only the end where the reader may not see more', () => {
    expect(toJson(OUT, false)).toMatchObject({ from: '+12125550100', to: '***0123' });
    expect(toJson(IN, false)['from']).toBe('***0123');
  });

  test.each(['=1+1', '+cmd', '-2', '@SUM(A1)', '\tx', '\u200b=1', '＝1'])(
    'whose body is the formula %j is harmless in a spreadsheet, and itself in NDJSON',
    (body) => {
      const [row] = toCsv({ ...IN, body });
      expect(row?.['body']).toBe(`'${body}`);
      expect(toJson({ ...IN, body })['body']).toBe(body);
    },
  );

  test('is one line of NDJSON whatever its body holds', () => {
    const body = 'two\nlines\r\n\u2028and "quotes"';
    const lines = exportLines([{ ...OUT, body }, OUT], { format: 'ndjson', ...FULL });
    expect(lines.split('\n')).toHaveLength(3);
    expect(toJson({ ...OUT, body })['body']).toBe(body);
    expect(toCsv({ ...OUT, body }, OUT)).toHaveLength(2);
  });
});

test('a file of NDJSON has no head', () => {
  expect([exportHead('ndjson'), exportHead('csv')]).toEqual([
    '',
    `${EXPORT_COLUMNS.join(',')}\r\n`,
  ]);
});

function toSnake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
