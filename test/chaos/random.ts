/** Chance that is the same for the same seed and label, whatever else is drawn meanwhile. */
export function createRandom(seed: number, label: string) {
  let state = seed >>> 0;
  for (const character of label) state = mix(state ^ (character.codePointAt(0) ?? 0));

  /** A number in [0, 1). */
  function draw(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    return mix(state) / 4_294_967_296;
  }
  /** A whole number from `low` to `high`, both included. */
  function between(low: number, high: number): number {
    return low + Math.floor(draw() * (high - low + 1));
  }
  function pick<Item>(items: readonly Item[]): Item {
    const item = items[between(0, items.length - 1)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
  /** Picks a key by its weight. */
  function weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
    const entries = Object.entries(weights) as [Key, number][];
    let left = draw() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return pick(entries)[0];
  }
  return { draw, between, pick, weighted };
}
export type Random = ReturnType<typeof createRandom>;

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
