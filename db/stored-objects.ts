import { checkKey, type ObjectStorage } from '../storage/object-storage.ts';
import type { Database } from './client.ts';

/** Keeps objects in Postgres, a row each: some megabytes at most, shared by every process without more ado. */
export function createPostgresStorage(database: Database): ObjectStorage {
  return {
    put: async (key, data) => {
      await database.query(
        `insert into stored_object (key, data) values ($1, $2::bytea)
         on conflict (key) do update set data = excluded.data, stored_at = now() returning 1 as done`,
        checkKey(key),
        data,
      );
    },
    get: async (key) => {
      const [row] = await database.query<{ data: Uint8Array }>(
        'select data from stored_object where key = $1',
        checkKey(key),
      );
      return row === undefined ? null : Buffer.from(row.data);
    },
    delete: async (key) => {
      await database.query(
        'delete from stored_object where key = $1 returning 1 as done',
        checkKey(key),
      );
    },
    list: async (prefix) => {
      const rows = await database.query<{ key: string }>(
        'select key from stored_object where key ^@ $1 order by key',
        prefix,
      );
      return rows.map(({ key }) => key);
    },
  };
}
