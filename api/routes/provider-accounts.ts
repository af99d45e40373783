import { createRoute } from '@hono/zod-openapi';
import {
  findProviderAccount,
  insertProviderAccount,
  listProviderAccounts,
  setProviderTokens,
  type ProviderAccountView,
} from '../../db/provider-accounts.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ApiError, orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, PageQuery, readPage, writePage } from '../paging.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import {
  CreateProviderAccountSchema,
  ProviderAccountSchema,
  SetTokensSchema,
} from '../schemas/provider-accounts.ts';

const tags = ['Provider accounts'];

const create = createRoute({
  method: 'post',
  path: '/v1/provider-accounts',
  tags,
  summary: 'Adds a provider account',
  description: 'Needs the scope admin. Tokens are encrypted and never shown again.',
  request: { headers: IdempotencyHeaders, body: body(CreateProviderAccountSchema) },
  responses: {
    201: ok('The account.', ProviderAccountSchema),
    ...problems(
      'malformed-json',
      'account-exists',
      'idempotency-key-reused',
      'idempotency-in-flight',
    ),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/provider-accounts',
  tags,
  summary: 'Lists provider accounts',
  description: 'Needs the scope admin.',
  request: { query: PageQuery },
  responses: {
    200: ok('A page of accounts.', pageOf(ProviderAccountSchema)),
    ...problems('invalid-cursor'),
  },
});

const find = createRoute({
  method: 'get',
  path: '/v1/provider-accounts/{id}',
  tags,
  summary: 'Shows a provider account',
  description: 'Needs the scope admin.',
  request: { params: IdParam },
  responses: { 200: ok('The account.', ProviderAccountSchema), ...problems('not-found') },
});

const setTokens = createRoute({
  method: 'put',
  path: '/v1/provider-accounts/{id}/tokens',
  tags,
  summary: 'Replaces the tokens of a provider account',
  description:
    'Needs the scope admin. Every process uses the new tokens within two seconds. Send the old token as the secondary one until its webhooks have stopped.',
  request: { params: IdParam, body: body(SetTokensSchema) },
  responses: {
    200: ok('The account.', ProviderAccountSchema),
    ...problems('malformed-json', 'not-found'),
  },
});

export function createProviderAccountRoutes(deps: ApiDeps) {
  const show = (account: ProviderAccountView) => ({
    ...account,
    webhooks: { inboundUrl: inboundUrl(deps.settings.publicUrl, account.id) },
  });
  return createRouter()
    .openapi(create, async (c) => {
      const { baseUrl = null, ...input } = c.req.valid('json');
      const { provider, name, accountSid } = input;
      const account = { provider, name, accountSid, baseUrl };
      const tokens = deps.seal(tokenList(input));
      const added = { ...account, tokens, actor: actorOf(c) };
      const row = await insertProviderAccount(tenantOf(deps, c), added);
      if (row === null) {
        throw new ApiError('account-exists', `The org already has the account ${accountSid}.`);
      }
      return c.json(show(row), 201);
    })
    .openapi(list, async (c) => {
      const page = readPage(c.req.valid('query'));
      const { items, nextCursor } = writePage(await listProviderAccounts(tenantOf(deps, c), page));
      return c.json({ items: items.map(show), nextCursor }, 200);
    })
    .openapi(find, async (c) => {
      const row = await findProviderAccount(tenantOf(deps, c), c.req.valid('param').id);
      return c.json(show(orNotFound(row, 'provider account')), 200);
    })
    .openapi(setTokens, async (c) => {
      const tokens = deps.seal(tokenList(c.req.valid('json')));
      const change = { accountId: c.req.valid('param').id, tokens, actor: actorOf(c) };
      const row = await setProviderTokens(tenantOf(deps, c), change);
      return c.json(show(orNotFound(row, 'provider account')), 200);
    });
}

/** As they are sealed: a JSON array, primary first. */
function tokenList(input: {
  readonly authToken: string;
  readonly secondaryAuthToken?: string | undefined;
}): string {
  const { authToken, secondaryAuthToken } = input;
  return JSON.stringify([authToken, ...(secondaryAuthToken ? [secondaryAuthToken] : [])]);
}

function inboundUrl(publicUrl: string, accountId: string): string {
  return `${publicUrl.replace(/\/+$/, '')}/webhooks/twilio/${accountId}/inbound`;
}
