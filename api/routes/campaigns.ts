import { createRoute } from '@hono/zod-openapi';
import {
  findCampaign,
  insertCampaign,
  listCampaigns,
  updateCampaign,
  type SavedCampaign,
} from '../../db/campaign-drafts.ts';
import { newId } from '../../db/ids.ts';
import { stateError, showCampaign, toDraft } from '../campaigns.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ApiError, orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, PageQuery, readPage, writePage } from '../paging.ts';
import { previewCampaign } from '../preview.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import {
  CampaignSchema,
  CreateCampaignSchema,
  PatchCampaignSchema,
  PreviewSchema,
} from '../schemas/campaigns.ts';

const tags = ['Campaigns'];

const create = createRoute({
  method: 'post',
  path: '/v1/campaigns',
  tags,
  summary: 'Makes a campaign',
  description: 'It is a draft: check it, then launch it.',
  request: { headers: IdempotencyHeaders, body: body(CreateCampaignSchema) },
  responses: {
    201: ok('The campaign.', CampaignSchema),
    ...problems('malformed-json', 'not-found', 'idempotency-key-reused', 'idempotency-in-flight'),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/campaigns',
  tags,
  summary: 'Lists campaigns',
  request: { query: PageQuery },
  responses: {
    200: ok('A page of campaigns.', pageOf(CampaignSchema)),
    ...problems('invalid-cursor'),
  },
});

const find = createRoute({
  method: 'get',
  path: '/v1/campaigns/{id}',
  tags,
  summary: 'Shows a campaign',
  request: { params: IdParam },
  responses: { 200: ok('The campaign.', CampaignSchema), ...problems('not-found') },
});

const patch = createRoute({
  method: 'patch',
  path: '/v1/campaigns/{id}',
  tags,
  summary: 'Changes a campaign that is not launched',
  description: 'It is a draft again and must be checked anew.',
  request: { params: IdParam, body: body(PatchCampaignSchema) },
  responses: {
    200: ok('The campaign.', CampaignSchema),
    ...problems('malformed-json', 'not-found', 'campaign-state', 'conflict'),
  },
});

const preview = createRoute({
  method: 'get',
  path: '/v1/campaigns/{id}/preview',
  tags,
  summary: 'Shows what a launch now would do',
  description:
    'By the rules of the launch itself: who would be texted, what real people would get, what it costs, when it would be done.',
  request: { params: IdParam },
  responses: { 200: ok('The preview.', PreviewSchema), ...problems('not-found') },
});

export function createCampaignRoutes(deps: ApiDeps) {
  const show = showCampaign(deps);
  return createRouter()
    .openapi(create, async (c) => {
      const tenant = tenantOf(deps, c);
      const draft = toDraft(c.req.valid('json'));
      const id = newId();
      refuseMissing(await insertCampaign(tenant, id, { draft, actor: actorOf(c) }));
      return c.json(show(orNotFound(await findCampaign(tenant, id), 'campaign')), 201);
    })
    .openapi(list, async (c) => {
      const page = readPage(c.req.valid('query'));
      const { items, nextCursor } = writePage(await listCampaigns(tenantOf(deps, c), page));
      return c.json({ items: items.map(show), nextCursor }, 200);
    })
    .openapi(find, async (c) => {
      const row = await findCampaign(tenantOf(deps, c), c.req.valid('param').id);
      return c.json(show(orNotFound(row, 'campaign')), 200);
    })
    .openapi(patch, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = c.req.valid('param');
      const before = orNotFound(await findCampaign(tenant, id), 'campaign');
      const draft = toDraft(c.req.valid('json'), before);
      const saved = await updateCampaign(tenant, before, { draft, actor: actorOf(c) });
      refuseMissing(saved);
      const after = orNotFound(await findCampaign(tenant, id), 'campaign');
      if (!saved.saved) throw stateError(after, 'edit');
      return c.json(show(after), 200);
    })
    .openapi(preview, async (c) => {
      const tenant = tenantOf(deps, c);
      const row = orNotFound(await findCampaign(tenant, c.req.valid('param').id), 'campaign');
      return c.json(await previewCampaign(deps, tenant, row), 200);
    });
}

function refuseMissing({ missing }: SavedCampaign): void {
  if (missing.length === 0) return;
  const errors = missing.map((field) => ({ field, message: 'does not exist' }));
  throw new ApiError('not-found', `There is no such ${missing.join(', ')}.`, { errors });
}
