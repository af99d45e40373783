import { createRoute } from '@hono/zod-openapi';
import {
  generateApiKey,
  insertApiKey,
  listApiKeys,
  revokeApiKey,
  type KeyLookup,
} from '../../db/api-keys.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ApiError, orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, PageQuery, readPage, writePage } from '../paging.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import { CreateKeySchema, KeySchema, MeSchema, NewKeySchema } from '../schemas/keys.ts';

const tags = ['Keys'];

const me = createRoute({
  method: 'get',
  path: '/v1/me',
  tags,
  summary: 'Says whose key this is',
  responses: { 200: ok('The org and the key.', MeSchema), ...problems() },
});

const create = createRoute({
  method: 'post',
  path: '/v1/keys',
  tags,
  summary: 'Makes a key',
  description: 'Needs the scope admin. The key itself is in this answer only.',
  request: { headers: IdempotencyHeaders, body: body(CreateKeySchema) },
  responses: {
    201: ok('The key.', NewKeySchema),
    ...problems('malformed-json', 'not-found', 'idempotency-key-reused', 'idempotency-in-flight'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/keys',
  tags,
  summary: 'Lists keys',
  description: 'Needs the scope admin.',
  request: { query: PageQuery },
  responses: { 200: ok('A page of keys.', pageOf(KeySchema)), ...problems('invalid-cursor') },
});

const revoke = createRoute({
  method: 'delete',
  path: '/v1/keys/{id}',
  tags,
  summary: 'Revokes a key',
  description: 'Needs the scope admin. Every process refuses the key within two seconds.',
  request: { params: IdParam },
  responses: { 200: ok('The revoked key.', KeySchema), ...problems('not-found') },
});

export function createKeyRoutes(deps: ApiDeps, keys: KeyLookup) {
  return createRouter()
    .openapi(me, (c) => {
      const { orgId, orgName, keyId, keyName, scopes } = c.var.caller;
      const org = { id: orgId, name: orgName };
      return c.json({ org, key: { id: keyId, name: keyName, scopes: [...scopes] } }, 200);
    })
    .openapi(create, async (c) => {
      const { name, scopes, expiresAt = null, memberId = null } = c.req.valid('json');
      const now = deps.now?.() ?? new Date();
      if (expiresAt !== null && new Date(expiresAt) <= now) {
        const errors = [{ field: 'expiresAt', message: 'must be in the future' }];
        throw new ApiError('invalid-request', 'expiresAt: must be in the future', { errors });
      }
      const generated = generateApiKey();
      const unique = [...new Set(scopes)];
      const key = { generated, name, scopes: unique, expiresAt, memberId, actor: actorOf(c) };
      const row = orNotFound(await insertApiKey(tenantOf(deps, c), key), 'member');
      return c.json({ ...row, key: generated.key }, 201);
    })
    .openapi(list, async (c) => {
      const page = readPage(c.req.valid('query'));
      return c.json(writePage(await listApiKeys(tenantOf(deps, c), page)), 200);
    })
    .openapi(revoke, async (c) => {
      const { id } = c.req.valid('param');
      const row = orNotFound(await revokeApiKey(tenantOf(deps, c), id, actorOf(c)), 'key');
      keys.forget();
      return c.json(row, 200);
    });
}
