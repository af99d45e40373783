/** Looks a value up or creates it, and drops what was used least recently beyond the limit. */
export function remember<T>(entry: {
  cache: Map<string, T>;
  key: string;
  limit: number;
  create: () => T;
  evict: (value: T) => void;
}): T {
  const { cache, key, limit } = entry;
  const value = cache.get(key) ?? entry.create();
  cache.delete(key);
  cache.set(key, value);
  for (const [oldestKey, oldest] of cache) {
    if (cache.size <= limit) break;
    cache.delete(oldestKey);
    entry.evict(oldest);
  }
  return value;
}
