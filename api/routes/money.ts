import { createRoute } from '@hono/zod-openapi';
import { findBudget, listRates, setBudget, setRate } from '../../db/money.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { ApiError, problems } from '../errors.ts';
import { body, ok } from '../schemas/common.ts';
import {
  BudgetSchema,
  RateSchema,
  RatesSchema,
  SetBudgetSchema,
  SetRateCardSchema,
} from '../schemas/org.ts';

const tags = ['Money'];

const find = createRoute({
  method: 'get',
  path: '/v1/budget',
  tags,
  summary: 'Shows what the org may spend, and has',
  responses: { 200: ok('The budget.', BudgetSchema), ...problems() },
});

const set = createRoute({
  method: 'put',
  path: '/v1/budget',
  tags,
  summary: 'Caps what the org may spend',
  description:
    'Needs the scope admin. A hard cap: each text reserves its price in the statement that claims it, so no segment passes it. A campaign that the budget no longer covers pauses itself; raise the cap and resume it. Answers that it does not cover are skipped; the answer to a stop is always sent.',
  request: { body: body(SetBudgetSchema) },
  responses: { 200: ok('The budget.', BudgetSchema), ...problems('malformed-json', 'conflict') },
});

const rates = createRoute({
  method: 'get',
  path: '/v1/rates',
  tags,
  summary: 'Lists the prices of segments',
  responses: { 200: ok('The prices.', RatesSchema), ...problems() },
});

const putRate = createRoute({
  method: 'put',
  path: '/v1/rates',
  tags,
  summary: 'Sets the org’s own price of a segment',
  description: 'Needs the scope admin. Estimates, budgets and reports go by it.',
  request: { body: body(SetRateCardSchema) },
  responses: { 200: ok('The price.', RateSchema), ...problems('malformed-json') },
});

const NO_BUDGET = {
  capMicros: null,
  reservedMicros: '0',
  spentMicros: '0',
  currency: null,
  updatedAt: null,
};

export function createMoneyRoutes(deps: ApiDeps) {
  return createRouter()
    .openapi(find, async (c) => c.json((await findBudget(tenantOf(deps, c))) ?? NO_BUDGET, 200))
    .openapi(set, async (c) => {
      const input = { ...c.req.valid('json'), actor: actorOf(c) };
      const budget = await setBudget(tenantOf(deps, c), input);
      if (budget === null) {
        const detail =
          'The org has spent in another currency; its budget cannot change to this one.';
        throw new ApiError('conflict', detail, {
          errors: [{ field: 'currency', message: 'differs from what was spent' }],
        });
      }
      return c.json(budget, 200);
    })
    .openapi(rates, async (c) => c.json({ items: await listRates(tenantOf(deps, c)) }, 200))
    .openapi(putRate, async (c) => {
      const input = { ...c.req.valid('json'), actor: actorOf(c) };
      return c.json(await setRate(tenantOf(deps, c), input), 200);
    });
}
