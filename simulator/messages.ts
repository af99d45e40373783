import { z } from 'zod';

export const TEXT_STATUSES = [
  'accepted',
  'scheduled',
  'queued',
  'sending',
  'sent',
  'delivered',
  'undelivered',
  'failed',
  'canceled',
  'received',
] as const;
export type TextStatus = (typeof TEXT_STATUSES)[number];

/** A text in either direction, as the simulator keeps it and writes it to its journal. */
export const textSchema = z.object({
  sid: z.string(),
  accountSid: z.string(),
  direction: z.enum(['outbound-api', 'outbound-reply', 'inbound']),
  from: z.string().nullable(),
  to: z.string(),
  body: z.string(),
  segments: z.number(),
  mediaUrls: z.array(z.string()),
  status: z.enum(TEXT_STATUSES),
  errorCode: z.number().nullable(),
  /** Epoch milliseconds. */
  createdAt: z.number(),
  updatedAt: z.number(),
  sentAt: z.number().nullable(),
  /** When it may leave its sender's queue. */
  leavesAt: z.number(),
  messagingServiceSid: z.string().nullable(),
  statusCallback: z.string().nullable(),
  validityPeriodS: z.number(),
  /** How many texts were created for this person before it. */
  ordinal: z.number(),
  /** For a reply: the text that it answers. */
  inReplyTo: z.string().nullable(),
});
export type SimulatedText = z.infer<typeof textSchema>;

export interface TextQuery {
  readonly accountSid: string;
  readonly to: string | null;
  readonly from: string | null;
  /** Continue after this text of the page before. */
  readonly afterSid: string | null;
  readonly limit: number;
  /** Younger texts are not in the list yet. */
  readonly createdUntil: number;
}

/** Creates the store of all texts. */
export function createMessages() {
  const bySid = new Map<string, SimulatedText>();
  const positions = new Map<string, number>();
  const lists = new Map<string, SimulatedText[]>();
  let count = 0;

  function insert(text: SimulatedText): void {
    count += 1;
    bySid.set(text.sid, text);
    positions.set(text.sid, count);
    for (const key of listKeys(text)) {
      const list = lists.get(key);
      if (list === undefined) lists.set(key, [text]);
      else list.push(text);
    }
  }

  function find(accountSid: string, sid: string): SimulatedText | undefined {
    const text = bySid.get(sid);
    return text?.accountSid === accountSid ? text : undefined;
  }

  /** Lists newest first; pages stay put while new texts arrive. */
  function list(query: TextQuery): { items: SimulatedText[]; hasMore: boolean } {
    const source = lists.get(listKey(query.accountSid, query)) ?? [];
    const before = query.afterSid === null ? undefined : positions.get(query.afterSid);
    const items: SimulatedText[] = [];
    for (let index = upperBound(source, before) - 1; index >= 0; index -= 1) {
      const text = source[index];
      if (text === undefined || !matches(text, query)) continue;
      if (items.length === query.limit) return { items, hasMore: true };
      items.push(text);
    }
    return { items, hasMore: false };
  }

  function upperBound(source: readonly SimulatedText[], before: number | undefined): number {
    if (before === undefined) return source.length;
    let low = 0;
    let high = source.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const position = positions.get(source[middle]?.sid ?? '') ?? 0;
      if (position < before) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function matches(text: SimulatedText, query: TextQuery): boolean {
    return (
      bySid.has(text.sid) &&
      text.createdAt <= query.createdUntil &&
      (query.to === null || text.to === query.to) &&
      (query.from === null || text.from === query.from)
    );
  }

  function clear(): void {
    bySid.clear();
    positions.clear();
    lists.clear();
  }

  function countByStatus(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const text of bySid.values()) counts[text.status] = (counts[text.status] ?? 0) + 1;
    return counts;
  }

  return {
    insert,
    find,
    get: (sid: string) => bySid.get(sid),
    list,
    // The position stays, so that a page token made of a deleted text still works.
    remove: (sid: string) => bySid.delete(sid),
    clear,
    countByStatus,
    all: () => bySid.values(),
    size: () => bySid.size,
  };
}
export type Messages = ReturnType<typeof createMessages>;

function listKeys(text: SimulatedText): string[] {
  const keys = [text.accountSid, `${text.accountSid}|to|${text.to}`];
  if (text.from !== null) keys.push(`${text.accountSid}|from|${text.from}`);
  return keys;
}

function listKey(accountSid: string, query: { to: string | null; from: string | null }): string {
  if (query.to !== null) return `${accountSid}|to|${query.to}`;
  return query.from === null ? accountSid : `${accountSid}|from|${query.from}`;
}
