/** Counts what a campaign's brakes look at; each only rises. */
export interface BrakeCounts {
  /** Texts that the provider took or refused. */
  readonly texts: number;
  /** Texts that the provider refused, or that did not arrive. */
  readonly failures: number;
  /** Texts that a carrier refused as unwanted or unregistered. */
  readonly violations: number;
  readonly optOuts: number;
}

/** Limits of a campaign's brakes: parts of the texts, above 0 and up to 1; null is no brake. */
export interface BrakeLimits {
  /** A brake looks at so many texts at least. */
  readonly minTexts: number;
  readonly failures: number | null;
  readonly violations: number | null;
  readonly optOuts: number | null;
}

/** Names what a brake looks at, in the order in which they are tried: the costliest first. */
const BRAKES = [
  ['violations', 'were refused by carriers as unwanted or unregistered'],
  ['optOuts', 'made people opt out'],
  ['failures', 'failed'],
] as const;

/** Says what the brakes make of the texts since the last mark. */
export type BrakeVerdict =
  /** Too few texts to judge: keep the mark. */
  | { readonly kind: 'wait' }
  /** Calm: the next look begins here. */
  | { readonly kind: 'calm' }
  /** Over a limit: pause, for this reason. */
  | { readonly kind: 'trip'; readonly reason: string };

/** The mark from which the brakes look, and when texts were last seen to go out (ms since 1970). */
export interface BrakeMark extends BrakeCounts {
  readonly seenTexts: number;
  readonly seenAtMs: number;
}

/** Texts that went out before a pause of so long have had their failures and opt-outs, or have them in the pause. */
const QUIET_MS = 60_000;

/**
 * Moves a mark on to what is seen now. What is reported in quiet times belongs to texts of before: it counts against
 * nobody, or the stops of a night would stand against the first texts of the morning.
 */
export function watchBrakes(mark: BrakeMark | null, now: BrakeCounts, nowMs: number): BrakeMark {
  if (mark === null) return { ...now, seenTexts: now.texts, seenAtMs: nowMs };
  const isQuiet = now.texts === mark.seenTexts;
  if (isQuiet && nowMs - mark.seenAtMs < QUIET_MS) return mark;
  const moved = { ...mark, seenTexts: now.texts, seenAtMs: isQuiet ? mark.seenAtMs : nowMs };
  return isQuiet ? { ...moved, ...now, texts: mark.texts } : moved;
}

/**
 * Judges the texts since a mark, so that a spike shows however long the campaign was calm before it.
 *
 * Reports come later than texts: a failure counts against the texts of the look in which it is reported.
 */
export function judgeBrakes(
  mark: BrakeCounts,
  now: BrakeCounts,
  limits: BrakeLimits,
): BrakeVerdict {
  const texts = now.texts - mark.texts;
  if (texts < limits.minTexts) return { kind: 'wait' };
  for (const [name, words] of BRAKES) {
    const limit = limits[name];
    const n = now[name] - mark[name];
    if (limit !== null && n / texts > limit) {
      return {
        kind: 'trip',
        reason: `Brake: ${n} of the last ${texts} texts ${words} (${percent(n / texts)}, limit ${percent(limit)}).`,
      };
    }
  }
  return { kind: 'calm' };
}

function percent(part: number): string {
  return `${Math.round(part * 1_000) / 10} %`;
}
