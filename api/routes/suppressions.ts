import { createRoute, z } from '@hono/zod-openapi';
import {
  insertSuppression,
  liftSuppression,
  listAllSuppressions,
  listSuppressions,
} from '../../db/suppression-views.ts';
import type { TenantDatabase } from '../../db/client.ts';
import { csvLine } from '../../domain/csv-safe.ts';
import { NIL_ID } from '../../domain/derived-id.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ROWS_A_PAGE, streamCsv } from '../csv-stream.ts';
import { ApiError, orNotFound, problems } from '../errors.ts';
import { untilStopped } from '../halt.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, readPage, writePage } from '../paging.ts';
import { body, csv, IdParam, ok } from '../schemas/common.ts';
import {
  CreateSuppressionSchema,
  ImportedSuppressionsSchema,
  ImportSuppressionsQuery,
  LiftSuppressionSchema,
  SuppressionSchema,
  SuppressionsQuery,
} from '../schemas/messages.ts';
import { importSuppressions } from '../suppression-import.ts';

const tags = ['Suppressions'];

const create = createRoute({
  method: 'post',
  path: '/v1/suppressions',
  tags,
  summary: 'Keeps a number from being texted',
  description:
    'For the whole org, or for one programme. What is planned for the number is skipped, and the answer comes only when no request to the provider can begin any more.',
  request: { headers: IdempotencyHeaders, body: body(CreateSuppressionSchema) },
  responses: {
    200: ok('The number was suppressed before.', SuppressionSchema),
    201: ok('The suppression.', SuppressionSchema),
    ...problems('malformed-json', 'idempotency-key-reused', 'idempotency-in-flight'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/suppressions',
  tags,
  summary: 'Lists suppressions, lifted ones too',
  request: { query: SuppressionsQuery },
  responses: {
    200: ok('A page of suppressions.', pageOf(SuppressionSchema)),
    ...problems('invalid-cursor'),
  },
});

const lift = createRoute({
  method: 'post',
  path: '/v1/suppressions/{id}/lift',
  tags,
  summary: 'Lifts a suppression on evidence of consent',
  description:
    'Evidence that is older than the opt-out lifts nothing (`givenAt`). The evidence is kept.',
  request: { headers: IdempotencyHeaders, params: IdParam, body: body(LiftSuppressionSchema) },
  responses: {
    200: ok('The lifted suppression.', SuppressionSchema),
    ...problems(
      'malformed-json',
      'not-found',
      'suppression-lifted',
      'idempotency-key-reused',
      'idempotency-in-flight',
    ),
  },
});

const importMany = createRoute({
  method: 'post',
  path: '/v1/suppressions/import',
  tags,
  summary: 'Keeps everybody in a list from being texted',
  description:
    'A CSV file as the body, up to 150 MB: a column named phone, or the first one. What is planned for these numbers is skipped, and the answer comes only when no request to the provider can begin any more. The same file again changes nothing.',
  request: {
    query: ImportSuppressionsQuery,
    body: { required: true, content: { 'text/csv': { schema: z.string() } } },
  },
  responses: {
    200: ok('What became of the rows.', ImportedSuppressionsSchema),
    ...problems('file-empty', 'file-not-csv', 'too-large'),
  },
});

const exportAll = createRoute({
  method: 'get',
  path: '/v1/suppressions/export.csv',
  tags,
  summary: 'Lists all suppressions as CSV, lifted ones too',
  responses: {
    200: csv(
      'Columns: phone, scope, programme, reason, source, evidence, created_at, lifted_at, lifted_by. Safe to open in a spreadsheet.',
    ),
    ...problems(),
  },
});

export function createSuppressionRoutes(deps: ApiDeps) {
  return createRouter()
    .openapi(create, async (c) => {
      const tenant = tenantOf(deps, c);
      const { programme = null, evidence = null, ...rest } = c.req.valid('json');
      const person = { ...rest, programme, evidence, actor: actorOf(c) };
      const { suppression, fresh } = await insertSuppression(tenant, person);
      const { orgId } = tenant;
      await untilStopped(deps.engineDatabase, { orgId, address: person.address });
      return c.json(suppression, fresh ? 201 : 200);
    })
    .openapi(list, async (c) => {
      const { address = null, ...query } = c.req.valid('query');
      const rows = await listSuppressions(tenantOf(deps, c), readPage(query), address);
      return c.json(writePage(rows), 200);
    })
    .openapi(importMany, async (c) => {
      const { programme = null, evidence = null, ...query } = c.req.valid('query');
      const { body: stream } = c.req.raw;
      if (stream === null) throw new ApiError('file-empty', 'Send the list as the body.');
      const how = { ...query, programme, evidence, actor: actorOf(c), body: stream };
      return c.json(await importSuppressions(deps, tenantOf(deps, c), how), 200);
    })
    .openapi(exportAll, (c) => {
      const lines = suppressionLines(tenantOf(deps, c));
      return streamCsv(deps, c, { name: 'suppressions.csv', lines });
    })
    .openapi(lift, async (c) => {
      const suppressionId = c.req.valid('param').id;
      const { evidence, givenAt } = c.req.valid('json');
      const at = givenAt === undefined ? null : new Date(givenAt);
      const input = { suppressionId, evidence, givenAt: at, actor: actorOf(c) };
      const done = orNotFound(await liftSuppression(tenantOf(deps, c), input), 'suppression');
      if (done.tooOld) {
        const errors = [{ field: 'givenAt', message: 'must be later than the opt-out' }];
        throw new ApiError('invalid-request', 'givenAt: must be later than the opt-out', {
          errors,
        });
      }
      if (!done.lifted) {
        throw new ApiError('suppression-lifted', 'The suppression was lifted before.');
      }
      return c.json(done.suppression, 200);
    });
}

async function* suppressionLines(tenant: TenantDatabase): AsyncGenerator<string> {
  yield csvLine([
    'phone',
    'scope',
    'programme',
    'reason',
    'source',
    'evidence',
    'created_at',
    'lifted_at',
    'lifted_by',
  ]);
  let after = { address: '', id: NIL_ID };
  for (;;) {
    const rows = await listAllSuppressions(tenant, { ...after, limit: ROWS_A_PAGE });
    const lines = rows.map((row) =>
      csvLine([
        row.address,
        row.scope,
        row.programme,
        row.reason,
        row.source,
        row.evidence,
        row.createdAt.toISOString(),
        row.liftedAt?.toISOString() ?? null,
        row.liftedBy,
      ]),
    );
    if (lines.length > 0) yield lines.join('');
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_A_PAGE) return;
    after = { address: last.address, id: last.id };
  }
}
