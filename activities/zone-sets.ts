import type { Database } from '../db/client.ts';
import { findZoneSets, type ZoneSet } from '../db/imports.ts';

/**
 * The zone sets that one run of an import met, found in the database when they are first needed. For one run alone:
 * a database that was restored gives their ids to other sets. A country has some hundreds.
 */
export function createZoneSets(database: Database) {
  const met: ZoneSet[] = [];
  const ids: number[] = [];
  // The lists that rules give out are always the same ones, so that nothing has to be compared by its content.
  const known = new Map<readonly string[], Map<readonly string[], number>>();
  return {
    /** The position of a set among those met. */
    indexOf: (zones: readonly string[], places: readonly string[]): number => {
      const byPlaces = known.get(zones) ?? new Map<readonly string[], number>();
      known.set(zones, byPlaces);
      const index = byPlaces.get(places) ?? met.push({ zones, places }) - 1;
      byPlaces.set(places, index);
      return index;
    },
    /** The ids of all sets met so far, by position. */
    ids: async (): Promise<readonly number[]> => {
      ids.push(...(await findZoneSets(database, met.slice(ids.length))));
      return ids;
    },
  };
}
export type ZoneSets = ReturnType<typeof createZoneSets>;
