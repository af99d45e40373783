/** What a campaign would do if it were launched now, from the same rules by which it will. */
import type { CampaignView } from '../db/campaign-drafts.ts';
import {
  hashAudience,
  listAudiencePage,
  listPrices,
  sampleAudience,
  type AudienceGroup,
  type PreviewPerson,
  type Price,
} from '../db/campaign-preview.ts';
import type { TenantDatabase } from '../db/client.ts';
import { estimateMicros, projectedFinishMs, sumMicros } from '../domain/cost.ts';
import { NIL_ID } from '../domain/derived-id.ts';
import { findStep, openingSends, type Script } from '../domain/script.ts';
import { measure, type Encoding } from '../domain/segments.ts';
import { parseTemplate, render, type Template } from '../domain/template.ts';
import type { ApiDeps } from './context.ts';
import { findProblems, readReadiness } from './readiness.ts';

/** Up to so many people, every text is written to count its segments. */
const EXACT_UP_TO = 20_000;
const PEOPLE_A_PAGE = 5_000;

export async function previewCampaign(
  deps: ApiDeps,
  tenant: TenantDatabase,
  campaign: CampaignView,
) {
  const readiness = await readReadiness(deps, tenant, campaign);
  const { basis, script, groups, size, fromMs } = readiness;
  const template = firstTemplate(script);
  // Each reads the whole list, so a large one is answered in the time of the slowest.
  const [samples, measured, prices, problems] = await Promise.all([
    sampleAudience(tenant, campaign),
    measureTexts(tenant, { campaign, template, size }),
    listPrices(tenant, basis.provider),
    findProblems(deps, tenant, readiness),
  ]);
  const rate = Math.min(campaign.segmentsPerSecond ?? Number.POSITIVE_INFINITY, basis.poolRate);
  const finishMs = projectedFinishMs({
    segments: measured.segments.total,
    segmentsPerSecond: rate,
    nowMs: fromMs,
  });
  const automatic = rate <= deps.settings.startsPerSecond ? 'first_text' : 'first_reply';
  return {
    audience: { size, leftOut: countLeftOut(groups) },
    samples: samples.map((person) => writeSample(template, person)),
    segments: measured.segments,
    estimate: estimate(measured.byCountry, prices),
    rate: { segmentsPerSecond: rate },
    projectedFinishAt: isDate(finishMs) ? new Date(finishMs).toISOString() : null,
    startMode: campaign.startMode === 'auto' ? automatic : campaign.startMode,
    problems,
  };
}

/** The text that opens the conversation; null when the script cannot say one. */
function firstTemplate(script: Script): Template | null {
  if (findStep(script, script.start) === null) return null;
  const [step = script.start] = openingSends(script).sends;
  const parsed = parseTemplate(findStep(script, step)?.text ?? '');
  return parsed.ok ? parsed.template : null;
}

interface Sample {
  readonly contactId: string;
  readonly body: string | null;
  readonly encoding: Encoding | null;
  readonly segments: number;
  readonly missing: string[];
}

function writeSample(template: Template | null, person: PreviewPerson): Sample {
  const rendered = template === null ? null : render(template, mergeValues(person.merge));
  if (rendered === null || !rendered.ok) {
    const missing = rendered === null || rendered.ok ? [] : rendered.missing;
    return { contactId: person.id, body: null, encoding: null, segments: 0, missing };
  }
  const { encoding, segments } = measure(rendered.body);
  return { contactId: person.id, body: rendered.body, encoding, segments, missing: [] };
}

interface Measured {
  readonly segments: {
    readonly total: number;
    readonly average: number;
    readonly gsm7Texts: number;
    readonly ucs2Texts: number;
    readonly exact: boolean;
  };
  readonly byCountry: ReadonlyMap<string | null, number>;
}

/** Writes every first text, or those of some people of a large audience, and counts segments. */
async function measureTexts(
  tenant: TenantDatabase,
  { campaign, template, size }: { campaign: CampaignView; template: Template | null; size: number },
): Promise<Measured> {
  const exact = size <= EXACT_UP_TO;
  const tally = { texts: 0, people: 0, gsm7: 0, ucs2: 0 };
  const byCountry = new Map<string | null, number>();
  for await (const people of audiencePages(tenant, campaign, exact)) {
    for (const person of people) {
      tally.people += 1;
      const rendered = template === null ? null : render(template, mergeValues(person.merge));
      if (rendered === null || !rendered.ok) continue;
      const { encoding, segments } = measure(rendered.body);
      tally.texts += 1;
      tally[encoding] += 1;
      byCountry.set(person.country, (byCountry.get(person.country) ?? 0) + segments);
    }
  }
  const scale = exact || tally.people === 0 ? 1 : size / tally.people;
  const scaled = new Map([...byCountry].map(([country, n]) => [country, Math.round(n * scale)]));
  const counted = [...byCountry.values()].reduce((sum, n) => sum + n, 0);
  return {
    segments: {
      total: [...scaled.values()].reduce((sum, n) => sum + n, 0),
      average: tally.texts === 0 ? 0 : Math.round((counted / tally.texts) * 1_000) / 1_000,
      gsm7Texts: Math.round(tally.gsm7 * scale),
      ucs2Texts: Math.round(tally.ucs2 * scale),
      exact,
    },
    byCountry: scaled,
  };
}

async function* audiencePages(
  tenant: TenantDatabase,
  { listId, programme }: CampaignView,
  exact: boolean,
): AsyncGenerator<PreviewPerson[]> {
  const limit = PEOPLE_A_PAGE;
  if (!exact) {
    yield await hashAudience(tenant, { listId, programme, limit });
    return;
  }
  let afterId = NIL_ID;
  for (;;) {
    const people = await listAudiencePage(tenant, { listId, programme, afterId, limit });
    yield people;
    const last = people.at(-1);
    if (last === undefined || people.length < limit) return;
    afterId = last.id;
  }
}

/** Each country's own price, else the one for all; null without a price or with two currencies. */
function estimate(byCountry: ReadonlyMap<string | null, number>, prices: readonly Price[]) {
  const costs = [...byCountry].map(([country, segments]) => {
    const price = priceOf(prices, country);
    return price === null ? null : { price, amount: estimateMicros({ segments, ...price }) };
  });
  const known = costs.filter((cost) => cost !== null);
  const currencies = new Set(known.map(({ price }) => price.currency));
  const [currency] = currencies;
  if (currency === undefined || currencies.size > 1 || known.length < costs.length) return null;
  return {
    amountMicros: sumMicros(known.map(({ amount }) => amount)),
    currency,
    source: [...new Set(known.map(({ price }) => price.source))].join('; '),
  };
}

/** The org's own row beats the deployment's, the country's beats the one for all. */
function priceOf(prices: readonly Price[], country: string | null): Price | null {
  const fits = (own: boolean, of: string | null) =>
    prices.find((price) => price.own === own && price.country === of);
  return (
    fits(true, country) ?? fits(true, null) ?? fits(false, country) ?? fits(false, null) ?? null
  );
}

function countLeftOut(groups: readonly AudienceGroup[]): Record<string, number> {
  const leftOut: Record<string, number> = {};
  for (const { leftOut: reason, n } of groups) {
    if (reason !== null) leftOut[reason] = (leftOut[reason] ?? 0) + n;
  }
  return leftOut;
}

/** Merge fields as strings; anything else is left out, as at planning. */
function mergeValues(merge: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(merge).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

function isDate(ms: number | null): ms is number {
  return ms !== null && Math.abs(ms) <= 8.64e15;
}
