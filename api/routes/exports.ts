import { createRoute, z } from '@hono/zod-openapi';
import { findCampaign } from '../../db/campaign-drafts.ts';
import type { TenantDatabase } from '../../db/client.ts';
import {
  cancelExport,
  findExportView,
  insertExport,
  listExports,
  readExportFile,
  type ExportView,
} from '../../db/export-views.ts';
import { EXPORT_KEPT_DAYS } from '../../db/exports.ts';
import { EXPORT_COLUMNS } from '../../domain/message-export.ts';
import { actorOf, createRouter, hasScope, tenantOf, type ApiDeps } from '../context.ts';
import { streamFile } from '../csv-stream.ts';
import { ApiError, orNotFound, problems, refusePurged } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { PageQuery, pageOf, readPage, writePage } from '../paging.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import { CreateExportSchema, ExportSchema } from '../schemas/exports.ts';

const tags = ['Exports'];

const create = createRoute({
  method: 'post',
  path: '/v1/exports',
  tags,
  summary: 'Asks for a file of texts',
  description:
    'The file holds what there is at this moment, in the order of ids. All texts of the org, out and in, or the outbound ones of a campaign.',
  request: { headers: IdempotencyHeaders, body: body(CreateExportSchema) },
  responses: {
    202: ok('The export, which goes on by itself.', ExportSchema),
    ...problems('not-found', 'texts-purged', 'idempotency-key-reused', 'idempotency-in-flight'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/exports',
  tags,
  summary: 'Lists exports',
  request: { query: PageQuery },
  responses: {
    200: ok('A page of exports.', pageOf(ExportSchema)),
    ...problems('invalid-cursor'),
  },
});

const find = createRoute({
  method: 'get',
  path: '/v1/exports/{id}',
  tags,
  summary: 'Shows an export and how far it is',
  request: { params: IdParam },
  responses: { 200: ok('The export.', ExportSchema), ...problems('not-found') },
});

const cancel = createRoute({
  method: 'post',
  path: '/v1/exports/{id}/cancel',
  tags,
  summary: 'Stops an export',
  description: 'What was written of its file is removed.',
  request: { headers: IdempotencyHeaders, params: IdParam },
  responses: {
    200: ok('The export; it ends within a page of 2,000 texts.', ExportSchema),
    ...problems('not-found', 'export-state', 'idempotency-key-reused', 'idempotency-in-flight'),
  },
});

const file = createRoute({
  method: 'get',
  path: '/v1/exports/{id}/file',
  tags,
  summary: 'Streams the file of a finished export',
  description: `Kept for ${EXPORT_KEPT_DAYS} days. A file with people’s full numbers needs the scope admin.`,
  request: { params: IdParam },
  responses: {
    200: {
      description: `Columns: ${EXPORT_COLUMNS.join(', ')}; in NDJSON the same in camelCase. Instants are ISO 8601 in UTC, price_micros is millionths of the currency as text. The CSV is safe to open in a spreadsheet.`,
      content: {
        'text/csv': { schema: z.string() },
        'application/x-ndjson': { schema: z.string() },
      },
    },
    ...problems('not-found', 'export-state', 'export-expired'),
  },
});

const CONTENT_TYPES = {
  csv: 'text/csv; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
} as const;

export function createExportRoutes(deps: ApiDeps) {
  const get = async (tenant: TenantDatabase, exportId: string) =>
    orNotFound(await findExportView(tenant, exportId), 'export');
  return createRouter()
    .openapi(create, async (c) => {
      const tenant = tenantOf(deps, c);
      const { kind, format, campaignId = null, ...range } = c.req.valid('json');
      if (campaignId !== null)
        refusePurged(orNotFound(await findCampaign(tenant, campaignId), 'campaign'));
      const row = await insertExport(tenant, {
        kind,
        format,
        campaignId,
        createdFrom: range.createdFrom ?? null,
        createdTo: range.createdTo ?? null,
        fullNumbers: hasScope(c.var.caller, 'admin'),
        actor: actorOf(c),
      });
      deps.notify();
      return c.json(toExport(row), 202);
    })
    .openapi(list, async (c) => {
      const rows = await listExports(tenantOf(deps, c), readPage(c.req.valid('query')));
      const { items, nextCursor } = writePage(rows);
      return c.json({ items: items.map(toExport), nextCursor }, 200);
    })
    .openapi(find, async (c) =>
      c.json(toExport(await get(tenantOf(deps, c), c.req.valid('param').id)), 200),
    )
    .openapi(cancel, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = c.req.valid('param');
      const done = await cancelExport(tenant, id, actorOf(c));
      const row = await get(tenant, id);
      if (!done) {
        throw new ApiError('export-state', `The export is ${row.state}; only a running one stops.`);
      }
      return c.json(toExport(row), 200);
    })
    .openapi(file, async (c) => {
      const tenant = tenantOf(deps, c);
      const row = await get(tenant, c.req.valid('param').id);
      if (row.fullNumbers && !hasScope(c.var.caller, 'admin')) {
        throw new ApiError(
          'forbidden',
          'The file holds full numbers: this needs a key with the scope "admin".',
        );
      }
      refuseWithoutFile(row);
      return streamFile(deps, c, {
        name: `messages-${row.id}.${row.format}`,
        contentType: CONTENT_TYPES[row.format],
        bytes: row.bytes,
        pieces: readExportFile(tenant, row),
      });
    });
}

function refuseWithoutFile({ state }: ExportView): void {
  if (state === 'expired') {
    throw new ApiError(
      'export-expired',
      `Files are kept for ${EXPORT_KEPT_DAYS} days. Ask for a new export.`,
    );
  }
  if (state !== 'finished') {
    throw new ApiError('export-state', `The export is ${state}; only a finished one has a file.`);
  }
}

function toExport(row: ExportView) {
  const { rowsDone, rowsExpected, chunks: _, ...rest } = row;
  return { ...rest, rows: toRows(row.state, rowsDone, rowsExpected) };
}

/** A finished export knows its total; before, no guess is less than what is written. */
function toRows(state: ExportView['state'], done: number, expected: number | null) {
  if (state === 'finished' || state === 'expired') return { done, total: done, isEstimate: false };
  const total = expected === null ? null : Math.max(expected, done);
  return { done, total, isEstimate: total !== null };
}
