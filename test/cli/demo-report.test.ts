import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { agrees, checkSums, readJournal, countRows } from '../../cli/demo-report.ts';
import type { Import, Message, Report } from '../../cli/demo-client.ts';

const texts = {
  planned: 0,
  sending: 0,
  accepted: 4,
  rejected: 1,
  skipped: 1,
  unknown: 0,
  lost: 0,
  total: 6,
};
const report: Report = {
  state: 'finished',
  audience: 5,
  leftOut: {},
  texts,
  ledger: texts,
  delivery: {},
  replies: { total: 0, byKind: {} },
  answers: {},
  optOuts: 0,
  skips: {},
  launchedAt: null,
  finishedAt: null,
  conversations: { automatic: 0, needsReply: 0, closed: 0 },
  rejects: {},
  segmentsSent: 4,
  sumsAgree: true,
};
const imported: Import = {
  id: 'i',
  state: 'finished',
  problem: null,
  rows: { decided: 7, accepted: 5, rejected: 2 },
  bytes: { done: 1, total: 1 },
  rejectsByReason: {},
};
const aText = (id: number, change: Partial<Message> = {}): Message => ({
  direction: 'outbound',
  campaignId: 'c',
  providerMessageId: `SM${id}`,
  step: 'first',
  try: 1,
  state: 'accepted',
  createdAt: '',
  ...change,
});
const aSent = (id: number): { sid: string; to: string; body: string } => ({
  sid: `SM${id}`,
  to: `+${id}`,
  body: 'a',
});
const stopConfirmation = aText(9, { campaignId: null, step: null });
const ledger = [
  aText(1),
  aText(2),
  aText(3),
  aText(4, { step: 'second' }),
  aText(5, { state: 'rejected', providerMessageId: null }),
  aText(6, { state: 'skipped', providerMessageId: null }),
  aText(7, { direction: 'inbound', step: null, state: 'received' }),
  stopConfirmation,
];
const sources = {
  report,
  import: imported,
  fileRows: 7,
  reportRows: 5,
  ledger,
  journal: [aSent(1), aSent(2), aSent(3), aSent(4), aSent(9)],
  campaignId: 'c',
  firstStep: 'first',
};

test('a campaign whose places all say the same agrees', () => {
  expect(checkSums(sources).filter((check) => !agrees(check))).toEqual([]);
});

test.each([
  ['a row of the file without a verdict', { fileRows: 8 }],
  ['a person without a row in the report', { reportRows: 4 }],
  ['a text that only the provider knows', { journal: [...sources.journal, aSent(10)] }],
  ['a text that only the ledger knows', { journal: sources.journal.slice(1) }],
  ['a person with two first texts', { ledger: [...ledger, aText(11)] }],
  [
    'the same text to one person twice',
    { journal: sources.journal.with(1, { ...aSent(1), sid: 'SM2' }) },
  ],
  ['a counter that lost a text', { report: { ...report, texts: { ...texts, accepted: 3 } } }],
  ['the engine’s own doubt', { report: { ...report, sumsAgree: false } }],
])('%s is a sum that does not agree', (_, change) => {
  expect(checkSums({ ...sources, ...change }).some((check) => !agrees(check))).toBe(true);
});

test('only texts after the launch, of the account, that exist are counted', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'gw-')), 'journal.ndjson');
  const line = (n: number, entry: object): string =>
    JSON.stringify({
      n,
      at: '',
      kind: 'create',
      accountSid: 'AC1',
      sid: `SM${n}`,
      to: '+1',
      body: 'a',
      ...entry,
    });
  await writeFile(
    file,
    [
      line(1, {}),
      line(2, { kind: 'status' }),
      line(3, {}),
      line(4, { sid: null }),
      line(5, { accountSid: 'AC2' }),
      line(6, { body: 'b' }),
      line(7, {}),
    ].join('\n'),
  );
  const texts = await readJournal({ file, accountSid: 'AC1', after: 1 });
  expect(texts.map(({ sid }) => sid)).toEqual(['SM3', 'SM6', 'SM7']);
});

test('a cell with line breaks is one row', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'gw-')), 'people.csv');
  await writeFile(file, '\uFEFFname,notes\r\nAna,"one\r\ntwo"\r\nBen,\r\n');
  expect(await countRows(file)).toBe(2);
});
