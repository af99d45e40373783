import { createRoute } from '@hono/zod-openapi';
import { countOnTheWire, switchOrg, switchSender } from '../../db/kill-switches.ts';
import { changeOrg, readOrg, type OrgView } from '../../db/org-settings.ts';
import { insertRegistration, listRegistrations } from '../../db/registrations.ts';
import { toClock, toDates, toMinutes } from '../campaigns.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps, type HasCaller } from '../context.ts';
import { notFound, problems } from '../errors.ts';
import { untilHalted } from '../halt.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, PageQuery, readPage, writePage } from '../paging.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import {
  CreateRegistrationSchema,
  OrgSchema,
  PatchOrgSchema,
  RegistrationSchema,
  StoppedSchema,
  StopSchema,
} from '../schemas/org.ts';

const tags = ['Org'];
const idempotency = ['idempotency-key-reused', 'idempotency-in-flight'] as const;
const optionalReason = { content: { 'application/json': { schema: StopSchema } } };

const find = createRoute({
  method: 'get',
  path: '/v1/org',
  tags,
  summary: 'Shows the org and its limits',
  responses: { 200: ok('The org.', OrgSchema), ...problems() },
});

const patch = createRoute({
  method: 'patch',
  path: '/v1/org',
  tags,
  summary: 'Changes the limits of the org',
  description: 'Needs the scope admin. They hold for every text that is claimed from then on.',
  request: { body: body(PatchOrgSchema) },
  responses: { 200: ok('The org.', OrgSchema), ...problems('malformed-json') },
});

const stop = createRoute({
  method: 'post',
  path: '/v1/org/stop-sending',
  tags,
  summary: 'Stops everything that the org sends',
  description:
    'The kill switch. Answers 600 ms after the change, with the texts whose request to the provider had begun; nothing else leaves until sending is resumed, not even answers.',
  request: { headers: IdempotencyHeaders, body: optionalReason },
  responses: {
    200: ok('Nothing leaves any more.', StoppedSchema),
    ...problems('malformed-json', ...idempotency),
  },
});

const resume = createRoute({
  method: 'post',
  path: '/v1/org/resume-sending',
  tags,
  summary: 'Resumes what the org sends',
  description: 'Needs the scope admin.',
  request: { headers: IdempotencyHeaders },
  responses: { 200: ok('The org.', OrgSchema), ...problems(...idempotency) },
});

const stopSender = createRoute({
  method: 'post',
  path: '/v1/senders/{id}/stop',
  tags: ['Sender pools'],
  summary: 'Stops a sender',
  description:
    'Answers as the org’s kill switch does. Its replies wait; first texts go out from others.',
  request: { headers: IdempotencyHeaders, params: IdParam, body: optionalReason },
  responses: {
    200: ok('Nothing leaves from it any more.', StoppedSchema),
    ...problems('malformed-json', 'not-found', ...idempotency),
  },
});

const resumeSender = createRoute({
  method: 'post',
  path: '/v1/senders/{id}/resume',
  tags: ['Sender pools'],
  summary: 'Puts a sender to use again',
  description: 'One that was stopped by hand, or by the engine after an error of the provider.',
  request: { headers: IdempotencyHeaders, params: IdParam },
  responses: {
    200: ok('It may send again.', StoppedSchema),
    ...problems('not-found', ...idempotency),
  },
});

const createRegistration = createRoute({
  method: 'post',
  path: '/v1/registrations',
  tags,
  summary: 'Notes a carrier registration with its limits',
  description: 'Needs the scope admin. Senders that name it share its limits.',
  request: { headers: IdempotencyHeaders, body: body(CreateRegistrationSchema) },
  responses: {
    201: ok('The registration.', RegistrationSchema),
    ...problems('malformed-json', ...idempotency),
  },
});

const registrations = createRoute({
  method: 'get',
  path: '/v1/registrations',
  tags,
  summary: 'Lists carrier registrations',
  request: { query: PageQuery },
  responses: {
    200: ok('A page of registrations.', pageOf(RegistrationSchema)),
    ...problems('invalid-cursor'),
  },
});

function showOrg({ hours, ...org }: OrgView) {
  const { startMinute, endMinute, days, laws, blackout } = hours;
  const textingHours =
    startMinute === null || endMinute === null || days === null
      ? null
      : { start: toClock(startMinute), end: toClock(endMinute), days: [...days] };
  return { ...org, hoursLaws: laws, textingHours, blackoutDates: [...blackout] };
}

export function createOrgRoutes(deps: ApiDeps) {
  const switchOneSender = async (
    c: HasCaller,
    how: { readonly senderId: string; readonly on: boolean },
    reason: string | null,
  ) => {
    const tenant = tenantOf(deps, c);
    const state = await switchSender(tenant, how, { actor: actorOf(c), reason });
    if (state === null) throw notFound('sender');
    if (!how.on) await untilHalted();
    else deps.notify();
    return { sending: await countOnTheWire(tenant, how.senderId) };
  };

  return createRouter()
    .openapi(find, async (c) => c.json(showOrg(await readOrg(tenantOf(deps, c))), 200))
    .openapi(patch, async (c) => {
      const tenant = tenantOf(deps, c);
      const { textingHours, blackoutDates, ...given } = c.req.valid('json');
      const limits = {
        ...given,
        hours: textingHours == null ? textingHours : toMinutes(textingHours),
        blackoutDates: blackoutDates === undefined ? undefined : toDates(blackoutDates),
      };
      await changeOrg(tenant, { limits, actor: actorOf(c) });
      deps.notify();
      return c.json(showOrg(await readOrg(tenant)), 200);
    })
    .openapi(stop, async (c) => {
      const tenant = tenantOf(deps, c);
      const { reason = null } = c.req.valid('json');
      await switchOrg(tenant, false, { actor: actorOf(c), reason });
      await untilHalted();
      return c.json({ sending: await countOnTheWire(tenant) }, 200);
    })
    .openapi(resume, async (c) => {
      const tenant = tenantOf(deps, c);
      await switchOrg(tenant, true, { actor: actorOf(c), reason: null });
      deps.notify();
      return c.json(showOrg(await readOrg(tenant)), 200);
    })
    .openapi(stopSender, async (c) => {
      const { reason = null } = c.req.valid('json');
      const how = { senderId: c.req.valid('param').id, on: false };
      return c.json(await switchOneSender(c, how, reason), 200);
    })
    .openapi(resumeSender, async (c) => {
      const how = { senderId: c.req.valid('param').id, on: true };
      return c.json(await switchOneSender(c, how, null), 200);
    })
    .openapi(createRegistration, async (c) => {
      const input = { ...c.req.valid('json'), actor: actorOf(c) };
      return c.json(await insertRegistration(tenantOf(deps, c), input), 201);
    })
    .openapi(registrations, async (c) => {
      const page = readPage(c.req.valid('query'));
      return c.json(writePage(await listRegistrations(tenantOf(deps, c), page)), 200);
    });
}
