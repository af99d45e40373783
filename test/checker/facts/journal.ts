import { createHash } from 'node:crypto';
import type { CreateFact, InboundFact, JournalFacts } from './facts.ts';
import { instant, numberOrNull, readLines, text, textOrNull, type Line } from './lines.ts';
import { countSegments, readKeyword } from './own-rules.ts';

const CALLBACK = /\/webhooks\/[a-z]+\/([0-9a-f-]{36})\/status\/([0-9a-f-]{36})(?:[?#]|$)/;

interface Reports {
  readonly ever: Map<string, number | null>;
  readonly acked: Set<string>;
}

/** Reads the simulator's journal, up to an instant. */
export async function readJournal(file: string, untilMs: number): Promise<JournalFacts> {
  const creates: CreateFact[] = [];
  const inbound = new Map<string, InboundFact>();
  const reports = new Map<string, Reports>();

  const takers: Readonly<Record<string, (line: Line) => void>> = {
    create: (line) => {
      const create = toCreate(line);
      creates.push(create);
      if (create.sid !== null) reportsOf(create.sid).ever.set(text(line, 'status'), null);
    },
    status: (line) => {
      const status = text(line, 'status');
      reportsOf(text(line, 'sid')).ever.set(status, numberOrNull(line, 'errorCode'));
    },
    callback: (line) => {
      if (isTaken(line)) reportsOf(text(line, 'sid')).acked.add(text(line, 'status'));
    },
    inbound: (line) => void inbound.set(text(line, 'sid'), toInbound(line)),
    'inbound-webhook': (line) => {
      const known = inbound.get(text(line, 'sid'));
      if (known === undefined || known.ackedAtMs !== null || !isTaken(line)) return;
      inbound.set(known.sid, { ...known, ackedAtMs: instant(line, 'at') });
    },
    delete: (line) => {
      const known = inbound.get(text(line, 'sid'));
      if (known !== undefined) inbound.set(known.sid, { ...known, isDeleted: true });
    },
    reset: () => {
      creates.length = 0;
      inbound.clear();
      reports.clear();
    },
  };

  function reportsOf(sid: string): Reports {
    const known = reports.get(sid);
    if (known !== undefined) return known;
    const fresh: Reports = { ever: new Map(), acked: new Set() };
    reports.set(sid, fresh);
    return fresh;
  }

  const unreadable = await readLines(file, (line) => {
    if (instant(line, 'at') <= untilMs) takers[text(line, 'kind')]?.(line);
  });
  creates.sort((a, b) => a.receivedAtMs - b.receivedAtMs || a.n - b.n);
  return { creates, inbound, reports, unreadable };
}

function toCreate(line: Line): CreateFact {
  const [, accountId = null, messageId = null] = CALLBACK.exec(text(line, 'statusCallback')) ?? [];
  return {
    n: numberOrNull(line, 'n') ?? 0,
    receivedAtMs: instant(line, 'receivedAt'),
    answer: numberOrNull(line, 'answer'),
    fault: textOrNull(line, 'fault'),
    sid: textOrNull(line, 'sid'),
    accountSid: text(line, 'accountSid'),
    to: text(line, 'to'),
    from: text(line, 'from'),
    billed: numberOrNull(line, 'segments'),
    counted: countSegments(text(line, 'body')),
    accountId,
    messageId,
  };
}

function toInbound(line: Line): InboundFact {
  const body = text(line, 'body');
  return {
    sid: text(line, 'sid'),
    from: text(line, 'from'),
    to: text(line, 'to'),
    // Postgres takes no NUL.
    bodyMd5: createHash('md5').update(body.replaceAll('\u0000', '\uFFFD')).digest('hex'),
    keyword: readKeyword(body, textOrNull(line, 'optOutType')),
    atMs: instant(line, 'at'),
    isListOnly: line['isListOnly'] === true,
    ackedAtMs: null,
    isDeleted: false,
  };
}

function isTaken(line: Line): boolean {
  const answer = numberOrNull(line, 'answer');
  return answer !== null && answer >= 200 && answer < 300;
}
