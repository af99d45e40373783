import { createRoute, z } from '@hono/zod-openapi';
import { BlobTooLargeError, storeBlob } from '../../db/blobs.ts';
import type { TenantDatabase } from '../../db/client.ts';
import {
  cancelImport,
  findImportView,
  insertImport,
  listRejects,
  listVerdicts,
  type ImportView,
} from '../../db/import-views.ts';
import { hasContactList } from '../../db/lists.ts';
import { csvLine } from '../../domain/csv-safe.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ROWS_A_PAGE, streamCsv } from '../csv-stream.ts';
import { ApiError, notFound, orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { cutPage, pageOf, PageQuery, readRowCursor } from '../paging.ts';
import { csv, IdParam, ok } from '../schemas/common.ts';
import { ImportSchema, RejectSchema, UploadQuery } from '../schemas/contacts.ts';
import { inspectHead, notEmpty } from '../uploads.ts';

const tags = ['Imports'];

const upload = createRoute({
  method: 'post',
  path: '/v1/contact-lists/{id}/imports',
  tags,
  summary: 'Imports a CSV file into a list',
  description:
    'The body is the file itself, UTF-8, with a header row; one column must be named like a phone number. The same file into the same list is the same import, so sending it again does nothing.',
  request: {
    params: IdParam,
    query: UploadQuery,
    body: {
      required: true,
      content: { 'text/csv': { schema: z.string().describe('The file.') } },
    },
  },
  responses: {
    200: ok('The import that this file has made before.', ImportSchema),
    202: ok('The import, which goes on by itself.', ImportSchema),
    ...problems('file-empty', 'file-not-csv', 'not-found', 'too-large'),
  },
});

const find = createRoute({
  method: 'get',
  path: '/v1/imports/{id}',
  tags,
  summary: 'Shows an import and how far it is',
  request: { params: IdParam },
  responses: { 200: ok('The import.', ImportSchema), ...problems('not-found') },
});

const cancel = createRoute({
  method: 'post',
  path: '/v1/imports/{id}/cancel',
  tags,
  summary: 'Stops an import',
  description: 'Rows that were decided stay decided.',
  request: { headers: IdempotencyHeaders, params: IdParam },
  responses: {
    200: ok('The import; it ends within a chunk of 1,000 rows.', ImportSchema),
    ...problems('not-found', 'import-state', 'idempotency-key-reused', 'idempotency-in-flight'),
  },
});

const rejects = createRoute({
  method: 'get',
  path: '/v1/imports/{id}/rejects',
  tags,
  summary: 'Lists the rows that put nobody on the list',
  request: { params: IdParam, query: PageQuery },
  responses: {
    200: ok('A page of rows, in the order of the file.', pageOf(RejectSchema)),
    ...problems('invalid-cursor', 'not-found'),
  },
});

const verdicts = createRoute({
  method: 'get',
  path: '/v1/imports/{id}/verdicts.csv',
  tags,
  summary: 'Says of every row what became of it',
  request: { params: IdParam },
  responses: {
    200: csv('Columns: row, verdict, reason, detail, duplicate_of. Safe to open in a spreadsheet.'),
    ...problems('not-found'),
  },
});

export function createImportRoutes(deps: ApiDeps) {
  const show = async (tenant: TenantDatabase, importId: string) =>
    toImport(orNotFound(await findImportView(tenant, importId), 'import'));
  return createRouter()
    .openapi(upload, async (c) => {
      const tenant = tenantOf(deps, c);
      const listId = c.req.valid('param').id;
      if (!(await hasContactList(tenant, listId))) throw notFound('contact list');
      refuseByHeaders(c.req.header('Content-Type'), c.req.header('Content-Length'), deps);
      const blob = await receive(deps, tenant, c.req.raw.body);
      const file = { listId, ...c.req.valid('query'), ...blob, actor: actorOf(c) };
      const made = orNotFound(await insertImport(tenant, file), 'contact list');
      if (made.fresh) deps.notify();
      return c.json(await show(tenant, made.id), made.fresh ? 202 : 200);
    })
    .openapi(find, async (c) => c.json(await show(tenantOf(deps, c), c.req.valid('param').id), 200))
    .openapi(cancel, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = c.req.valid('param');
      const done = await cancelImport(tenant, id, actorOf(c));
      const row = await show(tenant, id);
      if (!done) {
        throw new ApiError('import-state', `The import is ${row.state}; only a running one stops.`);
      }
      return c.json(row, 200);
    })
    .openapi(rejects, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = c.req.valid('param');
      const { limit, cursor } = c.req.valid('query');
      const slice = { importId: id, afterRow: readRowCursor(cursor), limit: limit + 1 };
      await show(tenant, id);
      const rows = await listRejects(tenant, slice);
      return c.json(
        cutPage(rows, limit, (row) => row.row),
        200,
      );
    })
    .openapi(verdicts, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = await show(tenant, c.req.valid('param').id);
      const file = { name: `verdicts-${id}.csv`, lines: verdictLines(tenant, id) };
      return streamCsv(deps, c, file);
    });
}

/** What can be refused before a byte is read. */
function refuseByHeaders(
  contentType: string | undefined,
  contentLength: string | undefined,
  deps: ApiDeps,
): void {
  if (contentType?.toLowerCase().startsWith('multipart/') === true) {
    throw new ApiError(
      'file-not-csv',
      'This is a form. Send the file itself as the body, with Content-Type text/csv.',
    );
  }
  if (Number(contentLength ?? 0) > deps.settings.maxUploadBytes) throw tooLarge(deps);
}

async function receive(
  deps: ApiDeps,
  tenant: TenantDatabase,
  body: Request['body'],
): Promise<{ sha256: string; size: number }> {
  try {
    const limits = { maxBytes: deps.settings.maxUploadBytes, inspectHead };
    return await storeBlob(tenant, notEmpty(body), limits);
  } catch (error) {
    if (error instanceof BlobTooLargeError) throw tooLarge(deps);
    throw error;
  }
}

function tooLarge(deps: ApiDeps): ApiError {
  const { maxUploadBytes } = deps.settings;
  return new ApiError('too-large', `A file may have ${maxUploadBytes} bytes at most; split it.`);
}

function toImport(row: ImportView) {
  const { decided, accepted, rejected, bytesDone, bytesTotal, problem, problemRow, ...rest } = row;
  return {
    ...rest,
    problem: problem === null ? null : { message: problem, row: problemRow },
    rows: { decided, accepted, rejected },
    bytes: { done: bytesDone, total: bytesTotal },
  };
}

async function* verdictLines(tenant: TenantDatabase, importId: string): AsyncGenerator<string> {
  yield csvLine(['row', 'verdict', 'reason', 'detail', 'duplicate_of']);
  let afterRow = -1;
  for (;;) {
    const rows = await listVerdicts(tenant, { importId, afterRow, limit: ROWS_A_PAGE });
    const lines = rows.map((row) =>
      csvLine([row.row, row.verdict, row.reason, row.detail, row.duplicateOf]),
    );
    if (lines.length > 0) yield lines.join('');
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_A_PAGE) return;
    afterRow = last.row;
  }
}
