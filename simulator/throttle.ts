/** Creates limits of requests a second, with one second's worth of burst. */
export function createThrottle() {
  const buckets = new Map<string, { tokens: number; at: number }>();

  function allow(key: string, perSecond: number | null): boolean {
    if (perSecond === null) return true;
    const now = performance.now();
    const capacity = Math.max(1, perSecond);
    const bucket = buckets.get(key) ?? { tokens: capacity, at: now };
    buckets.set(key, bucket);
    bucket.tokens = Math.min(capacity, bucket.tokens + ((now - bucket.at) / 1_000) * perSecond);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  return { allow, clear: () => buckets.clear() };
}

/** Creates the senders' queues: each sender gives off its segments at its own rate. */
export function createSenderQueues() {
  const freeAt = new Map<string, number>();

  /** Returns when the text leaves, null when the queue is full. */
  function enter(entry: {
    sender: string;
    segments: number;
    perSecond: number | null;
    limitSegments: number | null;
    now: number;
  }): number | null {
    const { perSecond, now } = entry;
    if (perSecond === null) return now;
    const start = Math.max(now, freeAt.get(entry.sender) ?? 0);
    const queued = ((start - now) / 1_000) * perSecond;
    // Twilio holds ten hours of a sender's rate.
    if (queued + entry.segments > (entry.limitSegments ?? perSecond * 36_000)) return null;
    const end = start + (entry.segments / perSecond) * 1_000;
    freeAt.set(entry.sender, end);
    return end;
  }

  return { enter, clear: () => freeAt.clear() };
}
