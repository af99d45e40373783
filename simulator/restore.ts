import { z } from 'zod';
import type { Carrier, SimulatorParts } from './carrier.ts';
import type { Inbox } from './inbox.ts';
import type { JournalLine } from './journal.ts';
import type { Reports } from './reports.ts';
import { readKeyword } from './keywords.ts';
import { TEXT_STATUSES, textSchema, type SimulatedText } from './messages.ts';
import type { Reply } from './people.ts';
import { accountSchema } from './settings.ts';

const statusLine = z.object({
  sid: z.string(),
  status: z.enum(TEXT_STATUSES),
  errorCode: z.number().nullable(),
});
const webhookLine = z.object({ sid: z.string(), status: z.string(), isDone: z.boolean() });
const updateLine = z.object({ sid: z.string(), status: z.enum(TEXT_STATUSES), body: z.string() });
const inboundLine = textSchema.extend({
  optOutType: z.string().nullable(),
  isListOnly: z.boolean(),
});

/** Creates the reader of an earlier run's journal: it rebuilds the state, then takes up what was due. */
export function createRestore(
  deps: SimulatorParts & {
    readonly carrier: Carrier;
    readonly inbox: Inbox;
    readonly reports: Reports;
    readonly countText: (to: string) => void;
    readonly clear: () => void;
  },
) {
  const { messages, people, optOuts, carrier } = deps;
  const openReports = new Set<string>();
  const openReplies = new Map<string, Reply & { at: number }>();
  const openInbound = new Map<string, string | null>();

  const replayers: Readonly<Record<string, (line: JournalLine) => void>> = {
    create: (line) => {
      const text = textSchema.safeParse(line);
      if (!text.success) return;
      messages.insert(text.data);
      deps.countText(text.data.to);
    },
    'keyword-reply': (line) => messages.insert(textSchema.parse(line)),
    inbound: (line) => {
      const { optOutType, isListOnly, ...text } = inboundLine.parse(line);
      messages.insert(text);
      if (text.inReplyTo !== null) openReplies.delete(text.inReplyTo);
      if (!isListOnly) openInbound.set(text.sid, optOutType);
      const { accountSid, to, from } = text;
      const keyword = readKeyword(text.body);
      optOuts.apply({ accountSid, number: to, person: from ?? '', keyword });
    },
    status: (line) => replayStatus(line),
    callback: (line) => {
      const { sid, status, isDone } = webhookLine.parse(line);
      if (isDone) openReports.delete(`${sid} ${status}`);
    },
    'inbound-webhook': (line) => {
      const { sid, isDone } = webhookLine.parse(line);
      if (isDone) openInbound.delete(sid);
    },
    update: (line) => {
      const { sid, ...changes } = updateLine.parse(line);
      Object.assign(messages.get(sid) ?? {}, changes, { updatedAt: Date.parse(line.at) });
    },
    delete: (line) => void messages.remove(z.object({ sid: z.string() }).parse(line).sid),
    account: (line) => void deps.accounts.put(accountSchema.parse(line)),
    reset: () => {
      deps.clear();
      for (const open of [openReports, openReplies, openInbound]) open.clear();
    },
  };

  function replayStatus(line: JournalLine): void {
    const { sid, status, errorCode } = statusLine.parse(line);
    const text = messages.get(sid);
    if (text === undefined) return;
    const at = Date.parse(line.at);
    Object.assign(text, { status, errorCode, updatedAt: at });
    if (status === 'sent') text.sentAt = at;
    openReports.add(`${sid} ${status}`);
    if (status !== 'delivered') return;
    const reply = people.receive(text.to, text.body);
    if (reply !== null) openReplies.set(sid, { ...reply, at: at + reply.delayMs });
  }

  /** Goes on where the earlier run stopped: statuses, reports and answers that were due. */
  function resume(): void {
    for (const key of openReports) {
      const [sid = '', status] = key.split(' ');
      const text = messages.get(sid);
      if (text !== undefined) deps.reports.send(asItStood(text, status));
    }
    for (const [sid, reply] of openReplies) {
      const text = messages.get(sid);
      if (text !== undefined) carrier.answer(text, reply.body, reply.at);
    }
    for (const [sid, optOutType] of openInbound) {
      const text = messages.get(sid);
      if (text !== undefined) deps.inbox.deliver(text, optOutType);
    }
    for (const text of messages.all()) carrier.carry(text);
  }

  return { replay: (line: JournalLine) => replayers[line.kind]?.(line), resume };
}

/** A report of `sent` may be open although the text has arrived since. */
function asItStood(text: SimulatedText, status: string | undefined): SimulatedText {
  return status === 'sent' ? { ...text, status: 'sent', errorCode: null } : text;
}
