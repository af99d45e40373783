import { createReadStream, existsSync, statSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';

/** A line of the journal: what happened, numbered, with everything known about it. */
const lineSchema = z.looseObject({ n: z.int(), at: z.string(), kind: z.string() });
export type JournalLine = z.infer<typeof lineSchema>;

/** Lines that stay in memory for `GET /simulator/journal`. */
const RECENT_LINES = 200_000;

/** Creates the append-only journal; without a file it lives in memory only. */
export function createJournal(file: string | null) {
  let handle: FileHandle | null = null;
  let nextNumber = 1;
  let waiting: string[] = [];
  let flushing: Promise<void> | null = null;
  let recent: string[] = [];
  let firstRecent = 1;

  /** Reads what an earlier run wrote, and opens the file for more. */
  async function load(replay: (line: JournalLine) => void): Promise<void> {
    if (file === null) return;
    if (existsSync(file)) {
      const lines = createInterface({ input: createReadStream(file, 'utf8') });
      for await (const text of lines) {
        const line = parseLine(text);
        if (line === null) continue;
        nextNumber = Math.max(nextNumber, line.n + 1);
        keep(text);
        firstRecent = Math.min(firstRecent, line.n);
        replay(line);
      }
    }
    const isEmpty = !existsSync(file) || statSync(file).size === 0;
    handle = await open(file, 'a', 0o600);
    // A run that was killed may have left half a line behind.
    if (!isEmpty) await handle.write('\n');
  }

  function append(kind: string, entry: object): void {
    const number = nextNumber;
    nextNumber += 1;
    const text = JSON.stringify({ n: number, at: new Date().toISOString(), kind, ...entry });
    keep(text);
    if (handle === null) return;
    waiting.push(text);
    flushing ??= flush(handle);
  }

  function keep(text: string): void {
    recent.push(text);
    if (recent.length < 2 * RECENT_LINES) return;
    firstRecent += recent.length - RECENT_LINES;
    recent = recent.slice(-RECENT_LINES);
  }

  /** Writes everything that gathered while the last write was under way. */
  async function flush(target: FileHandle): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = `${waiting.join('\n')}\n`;
      waiting = [];
      await target.appendFile(batch);
    }
    flushing = null;
  }

  /** Returns the lines after a number, oldest first. */
  function read(after: number, limit: number): { lines: string[]; isTruncated: boolean } {
    const start = Math.max(0, after + 1 - firstRecent);
    return { lines: recent.slice(start, start + limit), isTruncated: after + 1 < firstRecent };
  }

  async function close(): Promise<void> {
    await flushing;
    await handle?.close();
    handle = null;
  }

  return { load, append, read, close, lastNumber: () => nextNumber - 1 };
}
export type Journal = ReturnType<typeof createJournal>;

function parseLine(text: string): JournalLine | null {
  try {
    return lineSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
