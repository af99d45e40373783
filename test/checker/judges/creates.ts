import type { CreateFact, JournalFacts } from '../facts/facts.ts';

/** Texts that the provider created, by the message that their callback path names, oldest first. */
export function acceptedByMessage(journal: JournalFacts): Map<string, CreateFact[]> {
  return groupBy(
    journal.creates.filter((create) => create.sid !== null),
    (create) => create.messageId,
  );
}

/** Groups in order of appearance; what has no key is left out. */
export function groupBy<Item>(
  items: Iterable<Item>,
  keyOf: (item: Item) => string | null,
): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === null) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
