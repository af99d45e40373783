/** Histories as JSON: what may not stand in them, and the recorded ones. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { z } from 'zod';

export const HISTORIES_FOLDER = fileURLToPath(new URL('../histories/', import.meta.url));

/** `+` and 8 to 15 digits, as numbers are written everywhere in the engine. */
const E164 = /\+[1-9]\d{7,14}(?!\d)/;
/** What the server or the worker's host put there: neither replay nor a reader needs it. */
const SCRUBBED = new Set(['identity', 'stackTrace', 'requestId', 'encodedAttributes']);
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export type HistoryProto = Parameters<typeof historyToJSON>[0];

/** Everything that is written in a history, payloads decoded. */
export function readStrings(value: unknown, key = ''): string[] {
  if (typeof value === 'string') {
    const decoded = (key === 'data' || key === 'encoding') && BASE64.test(value);
    return decoded ? [Buffer.from(value, 'base64').toString('utf8')] : [value];
  }
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...readStrings(inner, name)]);
}

/** What of a history is a phone number or holds one of these words. */
export function findPersonal(history: unknown, forbidden: readonly string[] = []): string[] {
  return readStrings(history).filter(
    (text) => E164.test(text) || forbidden.some((word) => text.includes(word)),
  );
}

export function toJson(history: HistoryProto): unknown {
  return JSON.parse(historyToJSON(history));
}

const MAX_FIXTURE_BYTES = 60_000;
const eventsSchema = z.object({
  events: z.array(
    z.looseObject({
      eventType: z.string(),
      workflowExecutionStartedEventAttributes: z
        .looseObject({ workflowType: z.looseObject({ name: z.string() }) })
        .optional(),
    }),
  ),
});

/** The workflow's name and whether its history ends with a closed run. */
export function describeHistory(history: unknown): {
  type: string;
  isClosed: boolean;
  kinds: number;
} {
  const { events } = eventsSchema.parse(history);
  const started = events[0]?.workflowExecutionStartedEventAttributes;
  const last = events.at(-1)?.eventType ?? '';
  return {
    type: started?.workflowType.name ?? '',
    isClosed: /WORKFLOW_EXECUTION_(?:COMPLETED|CONTINUED_AS_NEW)$/.test(last),
    kinds: new Set(events.map(({ eventType }) => eventType)).size,
  };
}

/** Keeps, of each workflow, the two closed histories that hold most kinds of events and are small enough. */
export async function recordHistories(histories: readonly unknown[]): Promise<string[]> {
  await mkdir(HISTORIES_FOLDER, { recursive: true });
  const usable = histories
    .map((history) => ({
      ...describeHistory(history),
      text: `${JSON.stringify(scrub(history))}\n`,
    }))
    .filter(({ isClosed, text }) => isClosed && text.length < MAX_FIXTURE_BYTES)
    .toSorted((a, b) => b.kinds - a.kinds || a.text.length - b.text.length);
  const written: string[] = [];
  for (const type of new Set(usable.map((candidate) => candidate.type))) {
    const best = usable.filter((candidate) => candidate.type === type).slice(0, 2);
    for (const [index, { text }] of best.entries()) {
      const name = `${type}-${index + 1}.json`;
      await writeFile(join(HISTORIES_FOLDER, name), text);
      written.push(name);
    }
  }
  return written;
}

export async function readRecorded(): Promise<{ name: string; bytes: number; history: unknown }[]> {
  const names = (await readdir(HISTORIES_FOLDER)).filter((name) => name.endsWith('.json'));
  return Promise.all(
    names.toSorted().map(async (name) => {
      const text = await readFile(join(HISTORIES_FOLDER, name), 'utf8');
      return { name, bytes: text.length, history: JSON.parse(text) as unknown };
    }),
  );
}

function scrub(value: unknown): unknown {
  // A sticky queue is named for the worker's host.
  if (typeof value === 'string') return value.replace(/^\d+@.*-[0-9a-f]{32}$/, 'sticky');
  if (Array.isArray(value)) return value.map(scrub);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) =>
      SCRUBBED.has(key) ? [] : [[key, scrub(inner)]],
    ),
  );
}
