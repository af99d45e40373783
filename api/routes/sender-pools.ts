import { createRoute } from '@hono/zod-openapi';
import {
  addSenders,
  findSenderPool,
  insertSenderPool,
  listSenderPools,
  listSenders,
} from '../../db/sender-pools.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ApiError, notFound, orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, PageQuery, readPage, writePage } from '../paging.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import {
  AddedSendersSchema,
  AddSendersSchema,
  CreateSenderPoolSchema,
  SenderPoolDetailSchema,
  SenderPoolSchema,
} from '../schemas/sender-pools.ts';

const tags = ['Sender pools'];

const create = createRoute({
  method: 'post',
  path: '/v1/sender-pools',
  tags,
  summary: 'Makes a sender pool',
  request: { headers: IdempotencyHeaders, body: body(CreateSenderPoolSchema) },
  responses: {
    201: ok('The pool.', SenderPoolSchema),
    ...problems(
      'malformed-json',
      'not-found',
      'name-taken',
      'idempotency-key-reused',
      'idempotency-in-flight',
    ),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/sender-pools',
  tags,
  summary: 'Lists sender pools',
  request: { query: PageQuery },
  responses: {
    200: ok('A page of pools.', pageOf(SenderPoolSchema)),
    ...problems('invalid-cursor'),
  },
});

const find = createRoute({
  method: 'get',
  path: '/v1/sender-pools/{id}',
  tags,
  summary: 'Shows a sender pool with its senders',
  request: { params: IdParam },
  responses: { 200: ok('The pool.', SenderPoolDetailSchema), ...problems('not-found') },
});

const add = createRoute({
  method: 'post',
  path: '/v1/sender-pools/{id}/senders',
  tags,
  summary: 'Adds senders to a pool',
  description: 'All or none. A number belongs to one pool of its account.',
  request: { headers: IdempotencyHeaders, params: IdParam, body: body(AddSendersSchema) },
  responses: {
    201: ok('The added senders.', AddedSendersSchema),
    ...problems(
      'malformed-json',
      'not-found',
      'sender-exists',
      'idempotency-key-reused',
      'idempotency-in-flight',
    ),
  },
});

export function createSenderPoolRoutes(deps: ApiDeps) {
  return createRouter()
    .openapi(create, async (c) => {
      const input = { ...c.req.valid('json'), actor: actorOf(c) };
      const { accountFound, pool } = await insertSenderPool(tenantOf(deps, c), input);
      if (!accountFound) throw notFound('provider account');
      if (pool === null) {
        throw new ApiError('name-taken', `The org already has a pool "${input.name}".`);
      }
      return c.json(pool, 201);
    })
    .openapi(list, async (c) => {
      const page = readPage(c.req.valid('query'));
      return c.json(writePage(await listSenderPools(tenantOf(deps, c), page)), 200);
    })
    .openapi(find, async (c) => {
      const tenant = tenantOf(deps, c);
      const pool = orNotFound(await findSenderPool(tenant, c.req.valid('param').id), 'sender pool');
      const senders = await listSenders(tenant, pool.id);
      const active = senders.filter((sender) => sender.state === 'active');
      const totals = {
        senders: senders.length,
        active: active.length,
        segmentsPerSecond: active.reduce((sum, sender) => sum + sender.segmentsPerSecond, 0),
      };
      return c.json({ ...pool, senders, totals }, 200);
    })
    .openapi(add, async (c) => {
      const { senders } = c.req.valid('json');
      const input = { poolId: c.req.valid('param').id, senders, actor: actorOf(c) };
      const added = await addSenders(tenantOf(deps, c), input);
      if (!added.found) throw notFound('sender pool');
      if (!added.registrationsFound) throw notFound('registration');
      if (added.taken.length > 0) throw senderExists(added.taken, senders);
      return c.json({ senders: [...added.senders] }, 201);
    });
}

function senderExists(
  taken: readonly string[],
  senders: readonly { readonly e164: string }[],
): ApiError {
  const errors = taken.map((e164) => ({
    field: `senders.${senders.findIndex((sender) => sender.e164 === e164)}.e164`,
    message: `${e164} is a sender of this account already`,
  }));
  return new ApiError('sender-exists', 'No sender was added: some exist already.', { errors });
}
