/** Archived texts, read as if they still were rows: the lines of a file become rows of `message` again. */
import { MAX_ID, NIL_ID } from '../domain/derived-id.ts';
import { hashLines, unpackLines } from '../storage/archive-file.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import type { TenantDatabase } from './client.ts';

/** Who reads, and where the files are. */
export interface Archives {
  readonly reader: Pick<TenantDatabase, 'orgId' | 'query'>;
  readonly storage: ObjectStorage;
}

/** A file of an archive is not what the manifest says: a part must not pass for the whole. */
export class ArchiveDamagedError extends Error {
  override readonly name = 'ArchiveDamagedError';
}

/** Whether the files of a month are the truth about it; `k` is a chunk. */
export const IS_LIVE = `exists (select from archived_month a where a.parent = 'message' and a.month = k.month and a.state in ('detached', 'verified', 'dropping', 'dropped'))`;

interface Chunk {
  readonly id: string;
  readonly key: string;
  readonly sha256: string;
  readonly after_id: string;
  readonly to_id: string;
  readonly is_purged: boolean;
}

const CHUNK = `k.id, k.key, k.sha256, k.after_id, k.to_id, k.purge_at is not null as is_purged`;

/** Rows of `message`, from lines as $1. */
export const LINES_AS_MESSAGES = `(select m.* from jsonb_array_elements($1::jsonb) l cross join lateral jsonb_populate_record(null::message, l->'message') m)`;

/** The lines of a file; none where it was purged while it was looked for. */
async function readLines({ reader, storage }: Archives, chunk: Chunk): Promise<string[]> {
  if (chunk.is_purged) return [];
  const data = await storage.get(chunk.key);
  if (data === null) {
    const [now] = await reader.query<{ is_purged: boolean }>(
      'select purge_at is not null as is_purged from archive_chunk where id = $1::uuid',
      chunk.id,
    );
    if (now?.is_purged === true) return [];
    throw new ArchiveDamagedError(`the file ${chunk.key} is gone`);
  }
  const text = await unpackLines(data);
  if (hashLines(text) !== chunk.sha256)
    throw new ArchiveDamagedError(`the file ${chunk.key} was changed`);
  return text.toString('utf8').split('\n').slice(0, -1);
}

/** Lines as the parameter of LINES_AS_MESSAGES. */
export function asJsonArray(lines: readonly string[]): string {
  return `[${lines.join(',')}]`;
}

/** What is looked for: all texts of the org, or the outbound ones of a campaign, with a state or without. */
export interface ArchiveScope {
  readonly campaignId?: string | undefined;
  readonly state?: string | undefined;
}

/**
 * The lines of the next slice, in either direction: the one that holds the nearest ids behind `from`. Slices hold ids that no other
 * slice holds, so what it holds of the scope is complete for its range.
 */
async function readSlice(
  archives: Archives,
  scope: ArchiveScope,
  range: { readonly from: string; readonly direction: 'up' | 'down'; readonly until: string },
): Promise<{ lines: string[]; afterId: string; toId: string } | null> {
  const isUp = range.direction === 'up';
  const chunks = await archives.reader.query<Chunk>(
    `with chosen as (
       select k.* from archive_chunk k where k.org_id = $1::uuid and ($4::uuid is null or k.campaign_id = $4::uuid)
          and ($5::text is null or k.states @> array[$5::text]) and k.purge_at is null and ${IS_LIVE}),
     slice as (
       select to_id from chosen
        where ${isUp ? 'to_id > $2::uuid and after_id < $3::uuid' : 'after_id < $2::uuid and to_id > $3::uuid'}
        order by to_id ${isUp ? '' : 'desc'} limit 1)
     select ${CHUNK} from chosen k join slice s on s.to_id = k.to_id order by k.first_id`,
    archives.reader.orgId,
    range.from,
    range.until,
    scope.campaignId ?? null,
    scope.state ?? null,
  );
  const [first] = chunks;
  if (first === undefined) return null;
  const lines: string[] = [];
  for (const chunk of chunks) lines.push(...(await readLines(archives, chunk)));
  return { lines, afterId: first.after_id, toId: first.to_id };
}

const byIdDown = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? 1 : -1;

/** Rows of both places, newest first, each once: a month that is detached while it is read may be in both. */
function merge<Row extends { readonly id: string }>(rows: readonly Row[]): Row[] {
  return [...new Map(rows.map((row) => [row.id, row])).values()].toSorted(byIdDown);
}

/** What a line begins with, as far as lists look for it. */
const HEAD =
  /^\{"message" : \{"id":"([^"]+)","org_id":"[^"]+","direction":"(\w+)","channel":"[^"]*","purpose":"\w+","state":"(\w+)"/;

interface Line {
  readonly id: string;
  readonly direction: string;
  readonly state: string;
  readonly text: string;
}

/** Reads the head of a line alone: of two thousand lines a page shows fifty. */
function readHead(text: string): Line {
  const [, id, direction, state] = HEAD.exec(text) ?? [];
  if (id === undefined || direction === undefined || state === undefined)
    throw new ArchiveDamagedError('a line of an archive is no text');
  return { id, direction, state, text };
}

/**
 * Adds to a page of the ledger, newest first, what archives hold of the same range. The ledger is read first: what leaves it
 * meanwhile is found here.
 */
export async function withArchived<Row extends { readonly id: string }>(
  archives: Archives,
  page: readonly Row[],
  options: ArchiveScope & {
    readonly beforeId: string;
    readonly limit: number;
    /** The columns of the rows, of a message `m`. */
    readonly view: string;
  },
): Promise<Row[]> {
  const { beforeId, limit, view, campaignId, state } = options;
  // No slice need be opened for what no text of a campaign is.
  if (campaignId !== undefined && state === 'received') return [...page];
  let rows = [...page];
  let from = beforeId;
  for (;;) {
    const until = rows.length < limit ? NIL_ID : (rows[limit - 1]?.id ?? NIL_ID);
    const range = { from, until, direction: 'down' } as const;
    const slice = await readSlice(archives, { campaignId, state }, range);
    if (slice === null) return rows;
    const lines = slice.lines
      .map(readHead)
      .filter(
        (line) =>
          line.id < beforeId &&
          line.id > until &&
          (campaignId === undefined || line.direction === 'outbound') &&
          (state === undefined || line.state === state),
      )
      .toSorted(byIdDown)
      .slice(0, limit);
    const found = await archives.reader.query<Row>(
      `select ${view} from ${LINES_AS_MESSAGES} m`,
      asJsonArray(lines.map((line) => line.text)),
    );
    rows = merge([...rows, ...found]).slice(0, limit);
    from = slice.afterId;
  }
}

/** The next archived texts behind an id, in the order of ids, of all that an export may hold. */
export async function readArchivedAfter(
  archives: Archives,
  cursor: string,
  campaignId: string | null,
): Promise<{ readonly lines: readonly string[]; readonly toId: string } | null> {
  const scope = campaignId === null ? {} : { campaignId };
  return readSlice(archives, scope, { from: cursor, until: MAX_ID, direction: 'up' });
}

/** An archived text with what was noted about it; purged: it may have been among the texts of its time that were purged. */
export type FoundText =
  | { readonly line: string; readonly neighbours: readonly string[] }
  | 'purged'
  | null;

/** Looks for one text in the files that may hold it. */
export async function findArchived(archives: Archives, messageId: string): Promise<FoundText> {
  const chunks = await archives.reader.query<Chunk>(
    `select ${CHUNK} from archive_chunk k where k.org_id = $1::uuid and k.to_id >= $2::uuid and k.after_id < $2::uuid
        and $2::uuid between k.first_id and k.last_id and ${IS_LIVE} order by k.texts desc`,
    archives.reader.orgId,
    messageId,
  );
  const start = `{"message" : {"id":"${messageId}"`;
  for (const chunk of chunks) {
    const lines = await readLines(archives, chunk);
    const line = lines.find((each) => each.startsWith(start));
    if (line !== undefined) return { line, neighbours: lines };
  }
  return chunks.some((chunk) => chunk.is_purged) ? 'purged' : null;
}

/** Archived texts of a conversation that are looked at. */
const LINES_A_CONVERSATION = 500;

/** The archived texts of a conversation, of the newest files five hundred at least where there are so many, and whether some were purged. */
export async function readConversationLines(
  archives: Archives,
  conversationId: string,
): Promise<{ readonly lines: readonly string[]; readonly isPurged: boolean }> {
  const chunks = await archives.reader.query<Chunk>(
    `select ${CHUNK} from archived_conversation t join archive_chunk k on k.id = t.chunk_id
      where t.conversation_id = $1::uuid and t.org_id = $2::uuid and ${IS_LIVE} order by k.to_id desc limit ${LINES_A_CONVERSATION}`,
    conversationId,
    archives.reader.orgId,
  );
  const own = `"conversation_id":"${conversationId}"`;
  const lines: string[] = [];
  for (const chunk of chunks) {
    if (lines.length >= LINES_A_CONVERSATION) break;
    lines.push(...(await readLines(archives, chunk)).filter((line) => line.includes(own)));
  }
  return { lines, isPurged: chunks.some((chunk) => chunk.is_purged) };
}
