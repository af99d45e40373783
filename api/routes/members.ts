import { createRoute, z } from '@hono/zod-openapi';
import type { KeyLookup } from '../../db/api-keys.ts';
import { insertMember, listMembers, MEMBER_ROLES, suspendMember } from '../../db/members.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps, type HasCaller } from '../context.ts';
import { ApiError, orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, PageQuery, readPage, writePage } from '../paging.ts';
import { body, id, IdParam, ok, text, time } from '../schemas/common.ts';

const tags = ['Members'];
const idempotency = ['idempotency-key-reused', 'idempotency-in-flight'] as const;
const role = z
  .enum(MEMBER_ROLES)
  .describe('What the person is to do; bound by their keys’ scopes.');

const MemberSchema = z
  .object({
    id: id('The member.'),
    email: z.string().describe('Unique in the org.'),
    name: z.string().describe('Their name.'),
    role,
    suspendedAt: time('Since when nothing of theirs is accepted; null: it is.').nullable(),
    createdAt: time('Since when they belong to it.'),
  })
  .openapi('Member');

const CreateMemberSchema = z
  .object({
    email: z.email().max(254).describe('Unique in the org.'),
    name: text(200, 'Their name.'),
    role,
  })
  .openapi('CreateMember');

const create = createRoute({
  method: 'post',
  path: '/v1/members',
  tags,
  summary: 'Adds a person to the org',
  description: 'Needs the scope admin. Give them keys of their own with `memberId`.',
  request: { headers: IdempotencyHeaders, body: body(CreateMemberSchema) },
  responses: {
    201: ok('The member.', MemberSchema),
    ...problems('malformed-json', 'name-taken', ...idempotency),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/members',
  tags,
  summary: 'Lists the people of the org',
  description: 'Needs the scope admin.',
  request: { query: PageQuery },
  responses: { 200: ok('A page of members.', pageOf(MemberSchema)), ...problems('invalid-cursor') },
});

const suspend = createRoute({
  method: 'post',
  path: '/v1/members/{id}/suspend',
  tags,
  summary: 'Suspends a person with all of their keys',
  description: 'Needs the scope admin. Every process refuses their keys within two seconds.',
  request: { headers: IdempotencyHeaders, params: IdParam },
  responses: { 200: ok('The member.', MemberSchema), ...problems('not-found', ...idempotency) },
});

const reinstate = createRoute({
  method: 'post',
  path: '/v1/members/{id}/reinstate',
  tags,
  summary: 'Takes a suspended person back',
  description: 'Needs the scope admin.',
  request: { headers: IdempotencyHeaders, params: IdParam },
  responses: { 200: ok('The member.', MemberSchema), ...problems('not-found', ...idempotency) },
});

export function createMemberRoutes(deps: ApiDeps, keys: KeyLookup) {
  const change = async (c: HasCaller, memberId: string, suspended: boolean) => {
    const row = await suspendMember(tenantOf(deps, c), { memberId, suspended }, actorOf(c));
    keys.forget();
    return orNotFound(row, 'member');
  };
  return createRouter()
    .openapi(create, async (c) => {
      const input = c.req.valid('json');
      const row = await insertMember(tenantOf(deps, c), { ...input, actor: actorOf(c) });
      if (row === null)
        throw new ApiError('name-taken', `The org has a member ${input.email} already.`);
      return c.json(row, 201);
    })
    .openapi(list, async (c) => {
      const page = readPage(c.req.valid('query'));
      return c.json(writePage(await listMembers(tenantOf(deps, c), page)), 200);
    })
    .openapi(suspend, async (c) => c.json(await change(c, c.req.valid('param').id, true), 200))
    .openapi(reinstate, async (c) => c.json(await change(c, c.req.valid('param').id, false), 200));
}
