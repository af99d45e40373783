import type { Progress } from './demo-client.ts';

export interface Terminal {
  readonly isLive: boolean;
  readonly hasColours: boolean;
  /** Width in characters: a line that wrapped could not be rewritten. */
  readonly columns: () => number;
  readonly write: (text: string) => void;
}

/** One look at the campaign. */
export interface Look {
  readonly progress: Progress;
  readonly atMs: number;
}

const LINE_EVERY_MS = 2_000;
const DIM = 2;
const BOLD = 1;

/** Creates the display: rewrites its lines in a terminal, writes one line every two seconds elsewhere. */
export function createDisplay(terminal: Terminal) {
  let shownLines = 0;
  let lastLineAt = 0;
  const recent: Look[] = [];

  function show(progress: Progress): void {
    const look = { progress, atMs: Date.now() };
    recent.push(look);
    while (recent.length > 2 && look.atMs - (recent[0]?.atMs ?? 0) > 5_000) recent.shift();
    const rate = rateOf(recent);
    if (terminal.isLive) rewrite(liveLines(progress, rate));
    else if (look.atMs - lastLineAt >= LINE_EVERY_MS) {
      lastLineAt = look.atMs;
      terminal.write(`${plainLine(progress, rate)}\n`);
    }
  }

  function rewrite(lines: readonly string[]): void {
    const up = shownLines === 0 ? '' : `\u001B[${shownLines}A\u001B[J`;
    shownLines = lines.length;
    const fitting = lines.map((line) => line.slice(0, terminal.columns() - 1));
    terminal.write(`${up}${fitting.join('\n')}\n`);
  }

  return {
    show,
    /** What is written from now on stands below. */
    settle: (): void => {
      shownLines = 0;
      lastLineAt = 0;
    },
    bold: (text: string): string => paint(terminal, BOLD, text),
    dim: (text: string): string => paint(terminal, DIM, text),
  };
}

function liveLines(progress: Progress, rate: number): string[] {
  const { texts, replies, optOuts, audience } = progress;
  return [
    `  ${bar(doneShare(progress), 40)} ${percent(doneShare(progress))}  ${progress.state}`,
    `  planned ${texts.planned + texts.sending}   sent ${texts.accepted} of ${texts.total} (${audience ?? 0} people)   ${rate.toFixed(0)} texts/s   ${timeLeft(progress, rate)}`,
    `  delivered ${deliveredOf(progress)}   failed ${failedOf(progress)}   replies ${replies.total}   answers ${answersOf(progress)}   opt-outs ${optOuts}`,
  ];
}

function plainLine(progress: Progress, rate: number): string {
  const { texts, replies, optOuts, state } = progress;
  return [
    `${state}: planned ${texts.planned + texts.sending}`,
    `sent ${texts.accepted}/${texts.total}`,
    `delivered ${deliveredOf(progress)}`,
    `failed ${failedOf(progress)}`,
    `replies ${replies.total}`,
    `answers ${answersOf(progress)}`,
    `opt-outs ${optOuts}`,
    `${rate.toFixed(0)} texts/s`,
    timeLeft(progress, rate),
  ].join(', ');
}

/** A bar of blocks; `share` from 0 to 1. */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

export function answersOf({ answers }: Pick<Progress, 'answers'>): number {
  return Object.values(answers).reduce((all, step) => all + sum(step), 0);
}

export function deliveredOf({ delivery }: Pick<Progress, 'delivery'>): number {
  return (delivery['delivered'] ?? 0) + (delivery['read'] ?? 0);
}

/** Refused by the provider, or not delivered by it. */
export function failedOf({ texts, delivery }: Pick<Progress, 'texts' | 'delivery'>): number {
  return texts.rejected + texts.lost + (delivery['failed'] ?? 0) + (delivery['undelivered'] ?? 0);
}

export function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}

function doneShare({ texts, audience }: Progress): number {
  const all = Math.max(texts.total, audience ?? 0);
  return all === 0
    ? 0
    : (all - texts.planned - texts.sending - Math.max(0, all - texts.total)) / all;
}

function rateOf(recent: readonly Look[]): number {
  const [first, last] = [recent[0], recent.at(-1)];
  if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
  const texts = last.progress.texts.accepted - first.progress.texts.accepted;
  return (1_000 * Math.max(0, texts)) / (last.atMs - first.atMs);
}

function timeLeft({ texts, audience, state }: Progress, rate: number): string {
  if (state === 'finished' || state === 'cancelled') return 'over';
  const left = texts.planned + texts.sending + Math.max(0, (audience ?? 0) - texts.total);
  if (left === 0) return texts.total === 0 ? 'starting' : 'waiting for replies';
  if (rate < 0.5) return '';
  const seconds = Math.ceil(left / rate);
  return seconds < 90 ? `${seconds} s left` : `${Math.ceil(seconds / 60)} min left`;
}

function paint(terminal: Terminal, code: number, text: string): string {
  return terminal.hasColours ? `\u001B[${code}m${text}\u001B[0m` : text;
}
