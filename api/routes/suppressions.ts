import { setTimeout as sleep } from 'node:timers/promises';
import { createRoute } from '@hono/zod-openapi';
import { settleStop } from '../../db/inbound.ts';
import {
  insertSuppression,
  liftSuppression,
  listSuppressions,
} from '../../db/suppression-views.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ApiError, orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, readPage, writePage } from '../paging.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import {
  CreateSuppressionSchema,
  LiftSuppressionSchema,
  SuppressionSchema,
  SuppressionsQuery,
} from '../schemas/messages.ts';

const tags = ['Suppressions'];

const create = createRoute({
  method: 'post',
  path: '/v1/suppressions',
  tags,
  summary: 'Keeps a number from being texted',
  description:
    'For the whole org. What is planned for the number is skipped, and the answer comes only when no request to the provider can begin any more.',
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
  description: 'The evidence must be later than the opt-out; it is kept.',
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

export function createSuppressionRoutes(deps: ApiDeps) {
  return createRouter()
    .openapi(create, async (c) => {
      const tenant = tenantOf(deps, c);
      const person = { ...c.req.valid('json'), actor: actorOf(c) };
      const { suppression, fresh } = await insertSuppression(tenant, person);
      const { orgId } = tenant;
      const waitMs = await settleStop(deps.engineDatabase, { orgId, address: person.address });
      if (waitMs > 0) await sleep(waitMs);
      return c.json(suppression, fresh ? 201 : 200);
    })
    .openapi(list, async (c) => {
      const { address = null, ...query } = c.req.valid('query');
      const rows = await listSuppressions(tenantOf(deps, c), readPage(query), address);
      return c.json(writePage(rows), 200);
    })
    .openapi(lift, async (c) => {
      const suppressionId = c.req.valid('param').id;
      const input = { suppressionId, ...c.req.valid('json'), actor: actorOf(c) };
      const done = orNotFound(await liftSuppression(tenantOf(deps, c), input), 'suppression');
      if (!done.lifted) {
        throw new ApiError('suppression-lifted', 'The suppression was lifted before.');
      }
      return c.json(done.suppression, 200);
    });
}
