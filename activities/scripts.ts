import type { Script } from '../domain/script.ts';

/** A stored script was checked when it was saved; what comes back from the ledger is that document. */
export function readScript(graph: unknown): Script {
  return graph as Script;
}

/** Merge fields as strings; anything else in the snapshot is left out. */
export function mergeValues(merge: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(merge).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}
