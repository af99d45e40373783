/** Estimates what segments cost; `priceMicros` is the price of one, both are millionths of a currency unit as integer strings. */
export function estimateMicros({
  segments,
  priceMicros,
}: {
  segments: number;
  priceMicros: string;
}): string {
  return (BigInt(segments) * BigInt(priceMicros)).toString();
}

/** Adds amounts of one currency, in millionths as integer strings. */
export function sumMicros(amounts: readonly string[]): string {
  return amounts.reduce((sum, amount) => sum + BigInt(amount), 0n).toString();
}

/**
 * Projects when the segments that are left will have gone out, in milliseconds since 1970; null when nothing moves.
 */
export function projectedFinishMs({
  segments,
  segmentsPerSecond,
  nowMs,
}: {
  segments: number;
  segmentsPerSecond: number;
  nowMs: number;
}): number | null {
  if (segments <= 0) return nowMs;
  if (!(segmentsPerSecond > 0)) return null;
  return nowMs + Math.ceil((segments / segmentsPerSecond) * 1000);
}
