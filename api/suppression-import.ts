import { parse, CsvError } from 'csv-parse';
import { Readable } from 'node:stream';
import { skipSuppressed } from '../db/inbound.ts';
import { auditImport, insertSuppressions } from '../db/suppression-views.ts';
import type { TenantDatabase } from '../db/client.ts';
import { parsePhone } from '../domain/phone-number.ts';
import type { ApiDeps } from './context.ts';
import { ApiError } from './errors.ts';
import { untilHalted } from './halt.ts';

const ROWS_A_BATCH = 5_000;
const MAX_REJECTS = 1_000;
const MAX_ROW_BYTES = 65_536;
/** A list of opt-outs of ten million people is some 130 MB; larger ones are split. */
const MAX_BYTES = 150_000_000;
/** Names of the column that holds the number; without a header it is the first. */
const PHONE_HEADERS = /^(?:phone|phone ?number|mobile|cell|number|e164|address|to|from)$/i;

export interface SuppressionImport {
  readonly defaultCountry: string;
  readonly programme: string | null;
  readonly reason: string;
  readonly evidence: string | null;
  readonly actor: string;
}

export interface ImportedSuppressions {
  readonly accepted: number;
  readonly known: number;
  readonly rejected: number;
  readonly rejects: { row: number; reason: string }[];
}

/**
 * Suppresses everybody in a CSV file, batch by batch, and answers when no text to any of them can start any
 * more. What was done stays when it breaks off; sending the file again goes on, for nothing is done twice.
 */
export async function importSuppressions(
  deps: Pick<ApiDeps, 'engineDatabase'>,
  tenant: TenantDatabase,
  { body, ...how }: SuppressionImport & { readonly body: ReadableStream<Uint8Array> },
): Promise<ImportedSuppressions> {
  const result = {
    accepted: 0,
    known: 0,
    rejected: 0,
    rejects: [] as ImportedSuppressions['rejects'],
  };
  let batch = new Set<string>();
  const flush = async (): Promise<void> => {
    if (batch.size === 0) return;
    const addresses = [...batch];
    batch = new Set();
    const fresh = await insertSuppressions(tenant, { ...how, addresses });
    await skipSuppressed(deps.engineDatabase, tenant.orgId, addresses);
    result.accepted += fresh.length;
    result.known += addresses.length - fresh.length;
    // With each batch: what was done stays, also where the file breaks off.
    if (fresh.length > 0)
      await auditImport(tenant, { actor: how.actor, accepted: fresh.length, reason: how.reason });
  };
  for await (const { row, phone } of readPhones(body)) {
    const parsed = parsePhone(phone, how.defaultCountry);
    if (!parsed.ok) {
      result.rejected += 1;
      if (result.rejects.length < MAX_REJECTS) result.rejects.push({ row, reason: parsed.reason });
      continue;
    }
    if (batch.has(parsed.e164)) result.known += 1;
    batch.add(parsed.e164);
    if (batch.size >= ROWS_A_BATCH) await flush();
  }
  await flush();
  if (result.accepted + result.known + result.rejected === 0)
    throw new ApiError('file-empty', 'The list has no rows.');
  await untilHalted();
  return result;
}

/** The number of each row with its line. A first row that names a column is the header. */
async function* readPhones(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<{ row: number; phone: string }> {
  const parser = parse({
    bom: true,
    max_record_size: MAX_ROW_BYTES,
    relax_column_count: true,
    skip_empty_lines: true,
  });
  let bytes = 0;
  const source = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
  source.on('data', (piece: Uint8Array) => {
    bytes += piece.length;
    if (bytes > MAX_BYTES)
      source.destroy(
        new ApiError('too-large', `A list may have ${MAX_BYTES} bytes at most; split it.`),
      );
  });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  let row = 0;
  let column = 0;
  try {
    for await (const record of parser) {
      row += 1;
      const cells = record as string[];
      const named = row === 1 ? cells.findIndex((cell) => PHONE_HEADERS.test(cell.trim())) : -1;
      if (named >= 0) column = named;
      else yield { row, phone: cells[column] ?? '' };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new ApiError('file-not-csv', `The file cannot be read behind row ${row}: ${error.code}`);
  }
}
