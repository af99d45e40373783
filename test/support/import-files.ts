import { storeBlob } from '../../db/blobs.ts';
import { forOrg, type Database } from '../../db/client.ts';
import { newId } from '../../db/ids.ts';
import type { Ledger } from './ledger.ts';

export interface TestImport {
  readonly id: string;
  readonly listId: string;
}

/** Uploads a file into a list of its own, as the API does. */
export async function uploadFile(
  { database, orgId }: Pick<Ledger, 'database' | 'orgId'>,
  apiDatabase: Database,
  content: string | Buffer,
): Promise<TestImport> {
  const [id, listId] = [newId(), newId()];
  const bytes = Buffer.from(content);
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  };
  const { sha256, size } = await storeBlob(forOrg(apiDatabase, orgId), pieces(), {
    maxBytes: 50_000_000,
  });
  await database.query(
    `insert into contact_list (id, org_id, name) values ($1::uuid, $2::uuid, 'list') returning 1 as done`,
    listId,
    orgId,
  );
  await database.query(
    `insert into import (id, org_id, list_id, blob_sha256, file_name, default_country, total_bytes)
     values ($1::uuid, $2::uuid, $3::uuid, $4, 'people.csv', 'US', $5::bigint) returning 1 as done`,
    id,
    orgId,
    listId,
    sha256,
    size,
  );
  return { id, listId };
}
