import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const createEntrySchema = z.looseObject({
  kind: z.literal('create'),
  receivedAt: z.string(),
  answer: z.number().nullable(),
  sid: z.string().nullable(),
  to: z.string(),
  from: z.string(),
  body: z.string(),
  fault: z.string().nullable().default(null),
  statusCallback: z.string().nullish(),
});
const webhookEntrySchema = z.looseObject({
  kind: z.literal('inbound-webhook'),
  at: z.string(),
  sid: z.string(),
  answer: z.number().nullable(),
});

/** A request to create a text, as the simulator saw it; one without `sid` created nothing. */
export interface Create {
  readonly to: string;
  readonly from: string;
  readonly body: string;
  readonly sid: string | null;
  /** Null where the answer never left. */
  readonly answer: number | null;
  readonly fault: string | null;
  /** Of the ledger row that it is for, by its callback address. */
  readonly messageId: string | null;
  readonly receivedAtMs: number;
}

/** Reads the lines of a journal; the last one may be half written. */
export async function readLines(file: string): Promise<unknown[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line): unknown[] => {
    try {
      return line === '' ? [] : [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

export function toCreate(entry: unknown): Create[] {
  const { success, data } = createEntrySchema.safeParse(entry);
  if (!success) return [];
  const { to, from, body, sid, answer, fault, receivedAt, statusCallback } = data;
  const messageId = /\/status\/([0-9a-f-]{36})/.exec(statusCallback ?? '')?.[1] ?? null;
  return [{ to, from, body, sid, answer, fault, messageId, receivedAtMs: Date.parse(receivedAt) }];
}

/** When each inbound text got our first 2xx. */
export function toAcknowledgements(entries: readonly unknown[]): Map<string, number> {
  const first = new Map<string, number>();
  for (const entry of entries) {
    const { success, data } = webhookEntrySchema.safeParse(entry);
    if (!success || data.answer === null || data.answer > 299 || first.has(data.sid)) continue;
    first.set(data.sid, Date.parse(data.at));
  }
  return first;
}
