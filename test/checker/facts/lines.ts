/** Reads NDJSON files line by line; a killed writer may have left half a line anywhere. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

export type Line = Readonly<Record<string, unknown>>;

/** Hands every readable line to `take`; returns how many were not readable. */
export async function readLines(file: string, take: (line: Line) => void): Promise<number> {
  let unreadable = 0;
  for await (const text of createInterface({ input: createReadStream(file, 'utf8') })) {
    if (text.trim() === '') continue;
    const line = parse(text);
    if (line === null) unreadable += 1;
    else take(line);
  }
  return unreadable;
}

function parse(text: string): Line | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Line) : null;
  } catch {
    return null;
  }
}

export function text(line: Line, name: string): string {
  const value = line[name];
  return typeof value === 'string' ? value : '';
}

export function textOrNull(line: Line, name: string): string | null {
  const value = line[name];
  return typeof value === 'string' ? value : null;
}

export function numberOrNull(line: Line, name: string): number | null {
  const value = line[name];
  return typeof value === 'number' ? value : null;
}

/** An ISO instant as epoch milliseconds. */
export function instant(line: Line, name: string): number {
  return Date.parse(text(line, name));
}
