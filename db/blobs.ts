import { createHash } from 'node:crypto';
import type { Database, TenantDatabase } from './client.ts';
import { newId } from './ids.ts';

const CHUNK_BYTES = 512 * 1024;

/** More bytes came than the limit allows; nothing was kept. */
export class BlobTooLargeError extends Error {}

export interface StoredBlob {
  readonly sha256: string;
  readonly size: number;
}

/**
 * Streams bytes into the content-addressed store, a chunk at a time, and names them by their SHA-256
 * at the end. The same content twice is one blob; a stream that breaks leaves chunks that
 * housekeeping removes after a day.
 */
export async function storeBlob(
  tenant: TenantDatabase,
  content: AsyncIterable<Uint8Array>,
  limits: { readonly maxBytes: number; readonly inspectHead?: (head: Buffer) => void },
): Promise<StoredBlob> {
  const uploadId = newId();
  const hash = createHash('sha256');
  let size = 0;
  let n = 0;
  for await (const chunk of inChunks(content)) {
    if (n === 0) limits.inspectHead?.(chunk);
    size += chunk.length;
    if (size > limits.maxBytes) {
      await dropUpload(tenant, uploadId);
      throw new BlobTooLargeError(`more than ${limits.maxBytes} bytes`);
    }
    hash.update(chunk);
    await tenant.query(
      'insert into blob_chunk (upload_id, n, org_id, data) values ($1::uuid, $2::int, $3::uuid, $4::bytea) returning 1 as done',
      uploadId,
      n,
      tenant.orgId,
      chunk,
    );
    n += 1;
  }
  const sha256 = hash.digest('hex');
  const stored = await tenant.query(
    `insert into blob (org_id, sha256, upload_id, size) values ($1::uuid, $2, $3::uuid, $4::bigint)
     on conflict do nothing returning 1 as done`,
    tenant.orgId,
    sha256,
    uploadId,
    size,
  );
  if (stored.length === 0) await dropUpload(tenant, uploadId);
  return { sha256, size };
}

/** Reads a blob from a byte onwards, a chunk at a time. */
export async function* readBlob(
  database: Database,
  blob: { readonly orgId: string; readonly sha256: string; readonly fromByte: number },
): AsyncGenerator<Buffer> {
  for (let n = Math.floor(blob.fromByte / CHUNK_BYTES); ; n += 1) {
    const [row] = await database.query<{ data: Uint8Array }>(
      `select c.data from blob b join blob_chunk c on c.upload_id = b.upload_id and c.n = $3::int
        where b.org_id = $1::uuid and b.sha256 = $2`,
      blob.orgId,
      blob.sha256,
      n,
    );
    if (row === undefined) return;
    const skip = Math.max(0, blob.fromByte - n * CHUNK_BYTES);
    yield Buffer.from(row.data).subarray(skip);
  }
}

/** Removes chunks of uploads that never became a blob, a day old or more. */
export async function dropAbandonedUploads(database: Database): Promise<void> {
  await database.query(
    `delete from blob_chunk c where c.created_at < now() - interval '1 day'
        and not exists (select 1 from blob b where b.upload_id = c.upload_id) returning 1 as done`,
  );
}

async function dropUpload(tenant: TenantDatabase, uploadId: string): Promise<void> {
  await tenant.query(
    'delete from blob_chunk where upload_id = $1::uuid returning 1 as done',
    uploadId,
  );
}

async function* inChunks(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const piece of content) {
    waiting.push(Buffer.from(piece));
    bytes += piece.length;
    while (bytes >= CHUNK_BYTES) {
      const all = Buffer.concat(waiting);
      yield all.subarray(0, CHUNK_BYTES);
      waiting = [all.subarray(CHUNK_BYTES)];
      bytes = all.length - CHUNK_BYTES;
    }
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}
