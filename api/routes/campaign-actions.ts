import { createRoute } from '@hono/zod-openapi';
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import {
  auditRate,
  closeReplies,
  findCampaign,
  type CampaignView,
} from '../../db/campaign-drafts.ts';
import { changeCampaign, countSending } from '../../db/campaigns.ts';
import type { TenantDatabase } from '../../db/client.ts';
import type { CampaignAction } from '../../domain/campaign-state.ts';
import { showCampaign, stateError } from '../campaigns.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps, type HasCaller } from '../context.ts';
import { ApiError, notFound, orNotFound, problems, type ErrorCode } from '../errors.ts';
import { untilHalted } from '../halt.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { findProblems, readReadiness } from '../readiness.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import { CampaignSchema, HaltSchema, ReasonSchema, SetRateSchema } from '../schemas/campaigns.ts';

const tags = ['Campaigns'];
const request = { headers: IdempotencyHeaders, params: IdParam };
const optionalReason = { content: { 'application/json': { schema: ReasonSchema } } };

const check = createRoute({
  method: 'post',
  path: '/v1/campaigns/{id}/check',
  tags,
  summary: 'Checks that a campaign can be launched',
  request,
  responses: {
    200: ok('The campaign, checked.', CampaignSchema),
    ...changing('campaign-not-ready', 'conflict'),
  },
});

const launch = createRoute({
  method: 'post',
  path: '/v1/campaigns/{id}/launch',
  tags,
  summary: 'Launches a checked campaign',
  description: 'From here on it runs by itself, through crashes too.',
  request,
  responses: { 200: ok('The campaign, launched.', CampaignSchema), ...changing() },
});

const pause = createRoute({
  method: 'post',
  path: '/v1/campaigns/{id}/pause',
  tags,
  summary: 'Pauses a campaign',
  description:
    'Answers 600 ms after the change, with the texts whose request to the provider had begun; no other text leaves until it is resumed.',
  request: { ...request, body: optionalReason },
  responses: { 200: ok('The campaign stands.', HaltSchema), ...changing('malformed-json') },
});

const resume = createRoute({
  method: 'post',
  path: '/v1/campaigns/{id}/resume',
  tags,
  summary: 'Resumes a paused campaign',
  request,
  responses: {
    200: ok('The campaign, as it was before the pause.', CampaignSchema),
    ...changing(),
  },
});

const cancel = createRoute({
  method: 'post',
  path: '/v1/campaigns/{id}/cancel',
  tags,
  summary: 'Cancels a campaign for ever',
  description: 'Answers as a pause does. What is planned is skipped.',
  request: { ...request, body: optionalReason },
  responses: { 200: ok('The campaign is over.', HaltSchema), ...changing('malformed-json') },
});

const closeRepliesRoute = createRoute({
  method: 'post',
  path: '/v1/campaigns/{id}/close-replies',
  tags,
  summary: 'Says that no more replies are waited for',
  description: 'The campaign finishes as soon as its last text is decided.',
  request,
  responses: { 200: ok('The campaign.', CampaignSchema), ...changing() },
});

const setRate = createRoute({
  method: 'put',
  path: '/v1/campaigns/{id}/rate',
  tags,
  summary: 'Changes the rate of a launched campaign',
  description: 'Before the launch, change `segmentsPerSecond` of the campaign instead.',
  request: { params: IdParam, body: body(SetRateSchema) },
  responses: {
    200: ok('The rate.', SetRateSchema),
    ...problems('malformed-json', 'not-found', 'campaign-state', 'rate-refused'),
  },
});

export function createCampaignActionRoutes(deps: ApiDeps) {
  const show = showCampaign(deps);
  const change = createChange(deps);

  const halt = async (
    c: HasCaller,
    campaignId: string,
    how: { action: 'pause' | 'cancel'; reason?: string | undefined },
  ) => {
    const tenant = tenantOf(deps, c);
    const { state, fence } = await change(c, campaignId, how);
    await untilHalted();
    return { id: campaignId, state, fence, sending: await countSending(tenant, campaignId) };
  };

  return createRouter()
    .openapi(check, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = c.req.valid('param');
      const before = orNotFound(await findCampaign(tenant, id), 'campaign');
      if (before.state !== 'draft') throw stateError(before, 'check');
      await refuseUnready(deps, tenant, before);
      const after = await change(c, id, { action: 'check' });
      if (after.fence !== before.fence + 1) {
        // Somebody edited it meanwhile: what was checked is not what stands there.
        await change(c, id, { action: 'edit' });
        throw new ApiError('conflict', 'The campaign was changed during the check. Check again.');
      }
      return c.json(show(after), 200);
    })
    .openapi(launch, async (c) =>
      c.json(show(await change(c, c.req.valid('param').id, { action: 'launch' })), 200),
    )
    .openapi(pause, async (c) => {
      const { reason } = c.req.valid('json');
      return c.json(await halt(c, c.req.valid('param').id, { action: 'pause', reason }), 200);
    })
    .openapi(resume, async (c) =>
      c.json(show(await change(c, c.req.valid('param').id, { action: 'resume' })), 200),
    )
    .openapi(cancel, async (c) => {
      const { reason } = c.req.valid('json');
      return c.json(await halt(c, c.req.valid('param').id, { action: 'cancel', reason }), 200);
    })
    .openapi(closeRepliesRoute, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = c.req.valid('param');
      const done = await closeReplies(tenant, id, actorOf(c));
      const row = orNotFound(await findCampaign(tenant, id), 'campaign');
      if (!done) throw stateError(row, 'close replies');
      deps.notify();
      return c.json(show(row), 200);
    })
    .openapi(setRate, async (c) => {
      const tenant = tenantOf(deps, c);
      const { id } = c.req.valid('param');
      const { segmentsPerSecond } = c.req.valid('json');
      const row = orNotFound(await findCampaign(tenant, id), 'campaign');
      if (!['launched', 'running', 'paused'].includes(row.state)) throw stateError(row, 'set rate');
      const set = await updateRate(deps, id, segmentsPerSecond);
      await auditRate(tenant, { campaignId: id, ...set, actor: actorOf(c) });
      return c.json(set, 200);
    });
}

function createChange(deps: ApiDeps) {
  return async (
    c: HasCaller,
    campaignId: string,
    { action, reason }: { action: CampaignAction; reason?: string | undefined },
  ) => {
    const tenant = tenantOf(deps, c);
    const done = await changeCampaign(tenant, {
      campaignId,
      action,
      actor: actorOf(c),
      ...(reason === undefined ? {} : { reason }),
    });
    if (!done.found) throw notFound('campaign');
    const row = orNotFound(await findCampaign(tenant, campaignId), 'campaign');
    if (!done.changed) throw stateError(row, action);
    deps.notify();
    // The engine may have gone on since: the fence of this change is the one to answer with.
    return { ...row, fence: done.fence ?? row.fence };
  };
}

async function refuseUnready(
  deps: ApiDeps,
  tenant: TenantDatabase,
  campaign: CampaignView,
): Promise<void> {
  const readiness = await readReadiness(deps, tenant, campaign);
  const found = await findProblems(deps, tenant, readiness);
  const errors = found
    .filter((problem) => problem.severity === 'error')
    .map(({ code, message }) => ({ field: code, message }));
  if (errors.length === 0) return;
  const detail = errors.map(({ message }) => message).join(' ');
  throw new ApiError('campaign-not-ready', detail, { errors });
}

async function updateRate(deps: ApiDeps, campaignId: string, segmentsPerSecond: number) {
  try {
    const set = await deps.temporal.updateCampaignRate(campaignId, segmentsPerSecond);
    return { segmentsPerSecond: set.segmentsPerSecond };
  } catch (cause) {
    if (cause instanceof WorkflowUpdateFailedError) {
      const reason = cause.cause?.message ?? cause.message;
      throw new ApiError('rate-refused', `The campaign refused the rate: ${reason}`, { cause });
    }
    if (cause instanceof WorkflowNotFoundError) {
      const detail = 'The campaign’s workflow does not run yet, or no more.';
      throw new ApiError('campaign-state', detail, { cause });
    }
    throw new ApiError('unavailable', 'Temporal cannot be reached; try again soon.', { cause });
  }
}

function changing(...codes: readonly ErrorCode[]): object {
  return problems(
    'not-found',
    'campaign-state',
    'idempotency-key-reused',
    'idempotency-in-flight',
    ...codes,
  );
}
