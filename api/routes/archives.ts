import { createRoute } from '@hono/zod-openapi';
import { askForPurge } from '../../db/archive-purges.ts';
import { findCampaign } from '../../db/campaign-drafts.ts';
import { listPartitions, listReports } from '../../db/housekeeping-reports.ts';
import { showCampaign } from '../campaigns.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ApiError, orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { cutPage, readIdCursor } from '../paging.ts';
import { CampaignSchema } from '../schemas/campaigns.ts';
import { IdParam, ok } from '../schemas/common.ts';
import { HousekeepingQuery, HousekeepingSchema } from '../schemas/housekeeping.ts';

const purge = createRoute({
  method: 'post',
  path: '/v1/campaigns/{id}/purge',
  tags: ['Campaigns'],
  summary: 'Removes the texts of an archived campaign for good',
  description:
    'From the answer on nobody can read them; files and rows follow within the hour, and where rows wait for the end of their grace, with it. The campaign, its counts, its report and its people stay.',
  request: { headers: IdempotencyHeaders, params: IdParam },
  responses: {
    200: ok('The campaign.', CampaignSchema),
    ...problems('not-found', 'campaign-state', 'idempotency-key-reused', 'idempotency-in-flight'),
  },
});

const housekeeping = createRoute({
  method: 'get',
  path: '/v1/system/housekeeping',
  tags: ['System'],
  summary: 'Shows what housekeeping did, and what it keeps and why',
  description: 'Of the whole deployment: counts and months alone, no texts and no numbers.',
  request: { query: HousekeepingQuery },
  responses: {
    200: ok('The newest rounds, and the months.', HousekeepingSchema),
    ...problems('invalid-cursor'),
  },
});

export function createArchiveRoutes(deps: ApiDeps) {
  const show = showCampaign(deps);
  return createRouter()
    .openapi(purge, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = c.req.valid('param');
      const done = await askForPurge(tenant, id, actorOf(c));
      const row = orNotFound(await findCampaign(tenant, id), 'campaign');
      if (!done) {
        const state = row.archive?.state ?? 'not archived';
        throw new ApiError(
          'campaign-state',
          `The campaign is ${state}; only an archived one is purged.`,
          { errors: [{ field: 'archive', message: state }] },
        );
      }
      return c.json(show(row), 200);
    })
    .openapi(housekeeping, async (c) => {
      const tenant = tenantOf(deps, c);
      const { limit, cursor, job } = c.req.valid('query');
      const slice = { beforeId: readIdCursor(cursor), limit: limit + 1, job };
      const [partitions, rounds] = await Promise.all([
        listPartitions(tenant),
        listReports(tenant, slice),
      ]);
      return c.json({ partitions, rounds: cutPage(rounds, limit, (row) => row.id) }, 200);
    });
}
