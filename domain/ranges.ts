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
