import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse } from 'csv-parse';
import { z } from 'zod';
import { isQuestion, type Script } from '../domain/script.ts';
import type { Import, Message, Report } from './demo-client.ts';
import { answersOf, bar, deliveredOf, failedOf, percent, sum } from './demo-display.ts';

/** One sum that must come out the same from two places. */
export interface SumCheck {
  readonly what: string;
  readonly expected: number;
  readonly found: number;
}

export interface SumSources {
  readonly report: Report;
  readonly import: Import;
  /** Rows of the contact file, counted by the demo itself. */
  readonly fileRows: number;
  /** People in the report's CSV. */
  readonly reportRows: number;
  /** Every text since the launch, from the ledger. */
  readonly ledger: readonly Message[];
  /** Every text since the launch that the provider took. */
  readonly journal: readonly JournalText[];
  readonly campaignId: string;
  readonly firstStep: string;
}

/** A text as the simulator noted it; it shares no state with the engine. */
export interface JournalText {
  readonly sid: string;
  readonly to: string;
  readonly body: string;
}

/** Lists every sum, whether it agrees or not. */
export function checkSums(sources: SumSources): SumCheck[] {
  const { report, fileRows, reportRows } = sources;
  const { firstTexts, accepted, matched, unknown, duplicates } = compareTexts(sources);
  const { rows } = sources.import;
  const states = (texts: Report['texts']): number => sum(texts) - texts.total;
  return [
    {
      what: 'accepted and rejected rows are all rows of the file',
      expected: fileRows,
      found: rows.accepted + rows.rejected,
    },
    {
      what: 'the report’s CSV has a row for everybody in the audience',
      expected: report.audience ?? 0,
      found: reportRows,
    },
    {
      what: 'the states of the texts add up to all texts',
      expected: report.texts.total,
      found: states(report.texts),
    },
    {
      what: 'the counters agree with the ledger',
      expected: states(report.ledger),
      found: states(report.texts),
    },
    { what: 'the engine says that its sums agree', expected: 1, found: report.sumsAgree ? 1 : 0 },
    {
      what: 'everybody in the audience has exactly one first text',
      expected: report.audience ?? 0,
      found: firstTexts,
    },
    {
      what: 'the list of texts agrees with the ledger’s accepted ones',
      expected: report.ledger.accepted,
      found: accepted,
    },
    {
      what: 'the provider took every text that was accepted',
      expected: report.ledger.accepted,
      found: matched,
    },
    {
      what: 'the provider took no text that the ledger does not know',
      expected: 0,
      found: unknown,
    },
    { what: 'nobody got the same text twice', expected: 0, found: duplicates },
  ];
}

/** The provider also took confirmations of stops and answers to HELP: in the ledger, in no campaign. */
function compareTexts({ ledger, journal, campaignId, firstStep }: SumSources) {
  const ours = ledger.filter(
    (text) => text.campaignId === campaignId && text.direction === 'outbound',
  );
  const accepted = idsOf(ours.filter(({ state }) => state === 'accepted'));
  const known = idsOf(ledger);
  const campaignTexts = journal.filter(({ sid }) => accepted.has(sid));
  return {
    firstTexts: ours.filter((text) => text.step === firstStep && text.try === 1).length,
    accepted: accepted.size,
    matched: campaignTexts.length,
    unknown: journal.filter(({ sid }) => !known.has(sid)).length,
    duplicates:
      campaignTexts.length - new Set(campaignTexts.map(({ to, body }) => `${to}\n${body}`)).size,
  };
}

function idsOf(texts: readonly Message[]): Set<string> {
  return new Set(
    texts.flatMap(({ providerMessageId }) =>
      providerMessageId === null ? [] : [providerMessageId],
    ),
  );
}

export function agrees({ expected, found }: SumCheck): boolean {
  return expected === found;
}

const createLine = z.object({
  n: z.int(),
  kind: z.literal('create'),
  accountSid: z.string(),
  sid: z.string(),
  to: z.string(),
  body: z.string(),
});

/** Reads what the simulator took for an account after a line of its journal. */
export async function readJournal(source: {
  readonly file: string;
  readonly accountSid: string;
  readonly after: number;
}): Promise<JournalText[]> {
  const texts: JournalText[] = [];
  const lines = createInterface({ input: createReadStream(source.file, 'utf8') });
  for await (const text of lines) {
    if (!text.includes('"kind":"create"')) continue;
    const line = createLine.safeParse(JSON.parse(text));
    if (!line.success || line.data.n <= source.after) continue;
    const { accountSid, sid, to, body } = line.data;
    if (accountSid === source.accountSid) texts.push({ sid, to, body });
  }
  return texts;
}

/** Counts the data rows of a CSV file; cells may hold line breaks. */
export async function countRows(file: string): Promise<number> {
  const parser = createReadStream(file).pipe(
    parse({ bom: true, relax_column_count: true, relax_quotes: true, skip_empty_lines: true }),
  );
  for await (const row of parser) void row;
  // The header is not a row of data.
  return Math.max(0, parser.info.records - 1);
}

/** Renders the report for a terminal. */
export function describeReport(given: {
  readonly report: Report;
  readonly script: Script;
  readonly checks: readonly SumCheck[];
  readonly paint: {
    readonly bold: (text: string) => string;
    readonly dim: (text: string) => string;
  };
}): string[] {
  const { report, checks, paint } = given;
  const { texts, conversations, replies } = report;
  const accepted = Math.max(1, texts.accepted);
  const seconds = durationOf(report);
  return [
    '',
    paint.bold(`Report: ${report.state}`),
    `  people        ${report.audience ?? 0}${describeCounts(report.leftOut, ', left out: ')}`,
    `  texts         ${texts.accepted} sent (${report.segmentsSent} segments), ${texts.rejected} refused, ${texts.skipped} skipped${describeCounts(report.skips, ': ')}, ${texts.unknown} unknown, ${texts.lost} lost`,
    `  delivered     ${deliveredOf(report)} (${percent(deliveredOf(report) / accepted)}), failed ${failedOf(report)}`,
    `  replies       ${replies.total}${describeCounts(replies.byKind, ': ')}`,
    `  opt-outs      ${report.optOuts}, needs reply ${conversations.needsReply}`,
    ...describeAnswers(report, given.script),
    ...(seconds === null
      ? []
      : [
          `  duration      ${seconds.toFixed(1)} s from launch to report, ${(texts.accepted / seconds).toFixed(1)} texts/s`,
        ]),
    '',
    paint.bold('Sums'),
    ...checks.map((check) => {
      const { what, expected, found } = check;
      const verdict = agrees(check) ? 'ok' : 'WRONG';
      return `  ${verdict.padEnd(6)}${what} ${paint.dim(`(${found}${agrees(check) ? '' : ` instead of ${expected}`})`)}`;
    }),
  ];
}

function describeAnswers(report: Report, script: Script): string[] {
  if (answersOf(report) === 0) return [];
  return Object.entries(script.steps).flatMap(([key, step]) => {
    if (!isQuestion(step)) return [];
    const counts = report.answers[key] ?? {};
    const all = Math.max(1, sum(counts));
    return [
      `  ${step.text.replace(/\{\{\w+(?:\|([^}]*))?\}\}/g, '$1')}`,
      ...(step.answers ?? []).map(({ key: answer, label }) => {
        const count = counts[answer] ?? 0;
        return `    ${label.padEnd(14)}${bar(count / all, 24)} ${count} (${percent(count / all)})`;
      }),
    ];
  });
}

/** From launch until the campaign was over, in seconds. */
export function durationOf({ launchedAt, finishedAt }: Report): number | null {
  if (launchedAt === null || finishedAt === null) return null;
  return Math.max(0.001, (Date.parse(finishedAt) - Date.parse(launchedAt)) / 1_000);
}

/** `{ a: 2, b: 1 }` -> `a 2, b 1` after the lead; nothing when all are zero. */
export function describeCounts(counts: Readonly<Record<string, number>>, lead: string): string {
  const given = Object.entries(counts).filter(([, count]) => count > 0);
  if (given.length === 0) return '';
  const sorted = given.toSorted(([, left], [, right]) => right - left);
  return lead + sorted.map(([name, count]) => `${name.replaceAll('_', ' ')} ${count}`).join(', ');
}
