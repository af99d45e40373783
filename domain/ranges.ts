/** Reads a list of three-digit keys and ranges of them: `205 251-253` is 205, 251, 252 and 253. */
export function keysOf(list: string): string[] {
  return list.trim().split(/\s+/).flatMap(keysOfRange);
}

function keysOfRange(entry: string): string[] {
  const range = /^(\d{3})-(\d{3})$/.exec(entry);
  if (range === null) return [entry];
  const [from, to] = [Number(range[1]), Number(range[2])];
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index).padStart(3, '0'));
}

/** Turns a table of lists around: from each key to the sorted names whose lists hold it. */
export function namesByKey(
  table: Readonly<Record<string, string>>,
): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  for (const [name, list] of Object.entries(table)) {
    for (const key of keysOf(list)) names.set(key, [...(names.get(key) ?? []), name].toSorted());
  }
  return names;
}

/** The first three digits of a ZIP code, with its four more digits or without; undefined for anything else. */
export function zipPrefix(postcode: string): string | undefined {
  return /^(\d{3})\d{2}(?:-?\d{4})?$/.exec(postcode.trim())?.[1];
}
