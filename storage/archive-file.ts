/** What a file of an archive is: lines of JSON, compressed; the manifest names it by the hash of its lines. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

export const packLines = promisify<Buffer, Buffer>(gzip);
/** Rejects where the file is damaged. */
export const unpackLines = promisify<Buffer, Buffer>(gunzip);

/** Of the lines and not of the file, because compressors differ. */
export function hashLines(lines: Buffer): string {
  return createHash('sha256').update(lines).digest('hex');
}
