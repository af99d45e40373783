/** What keeps a campaign from being launched, or may surprise whoever launches it. */
import type { CampaignView } from '../db/campaign-drafts.ts';
import {
  countAudience,
  countMissingFields,
  findPreviewBasis,
  type AudienceGroup,
  type PreviewBasis,
} from '../db/campaign-preview.ts';
import type { TenantDatabase } from '../db/client.ts';
import { checkScript, type Script } from '../domain/script.ts';
import { parseTemplate, templateFields, type Template } from '../domain/template.ts';
import { campaignWindow, type CampaignHours } from '../domain/campaign-hours.ts';
import type { ApiDeps } from './context.ts';
import { orNotFound } from './errors.ts';
import { readGraph } from './script-graphs.ts';

export interface PreviewProblem {
  readonly code: string;
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

/** A campaign with what its launch would read. */
export interface Readiness {
  readonly campaign: CampaignView;
  readonly basis: PreviewBasis;
  readonly script: Script;
  readonly groups: readonly AudienceGroup[];
  /** People who would be texted. */
  readonly size: number;
  /** Now, or when the campaign may start. */
  readonly fromMs: number;
}

/** Reads what a check and a preview both need. */
export async function readReadiness(
  deps: Pick<ApiDeps, 'now'>,
  tenant: TenantDatabase,
  campaign: CampaignView,
): Promise<Readiness> {
  const nowMs = (deps.now?.() ?? new Date()).getTime();
  const basis = orNotFound(await findPreviewBasis(tenant, campaign.id), 'campaign');
  const groups = await countAudience(tenant, campaign);
  return {
    campaign,
    basis,
    script: readGraph(basis.graph),
    groups,
    size: sumOf(groups.filter((group) => group.leftOut === null)),
    fromMs: Math.max(nowMs, campaign.startsAt?.getTime() ?? 0),
  };
}

/** Everything wrong or surprising, without writing any text. */
export async function findProblems(
  deps: ApiDeps,
  tenant: TenantDatabase,
  readiness: Readiness,
): Promise<PreviewProblem[]> {
  return [
    ...findStaticProblems(deps, readiness),
    ...findLegalHours(readiness),
    ...(await findMissingFields(tenant, readiness)),
  ];
}

function findStaticProblems(deps: ApiDeps, readiness: Readiness): PreviewProblem[] {
  const { basis, campaign, script, size } = readiness;
  const problems: PreviewProblem[] = [];
  if (size === 0) problems.push(error('empty-audience', 'Nobody on the list can be texted.'));
  if (basis.activeSenders === 0) {
    problems.push(error('no-active-sender', 'The pool has no active sender.'));
  }
  if (basis.accountState === 'stopped') {
    problems.push(error('account-stopped', 'The pool’s provider account is stopped.'));
  }
  const listsSentTexts = deps.listsSentTexts?.(basis.provider) ?? true;
  if (campaign.unknownPolicy === 'confirmed_absent' && !listsSentTexts) {
    const message = `${basis.provider} lists no sent texts, so an absence cannot be confirmed.`;
    problems.push(error('unknown-policy-unsupported', message));
  }
  for (const { path, message, severity } of checkScript(script, usedFields(script))) {
    problems.push({ code: 'script-problem', message: `${path}: ${message}`, severity });
  }
  return problems;
}

function findLegalHours({ basis, campaign, groups, size, fromMs }: Readiness): PreviewProblem[] {
  const hours: CampaignHours = {
    campaign: {
      startMinute: campaign.hoursStartMinute,
      endMinute: campaign.hoursEndMinute,
      days: campaign.hoursDays,
      blackoutDates: campaign.hoursBlackout,
    },
    org: basis.orgHours,
    startsAtLocal: campaign.startsAtLocal,
  };
  const closed = groups.filter(
    (group) => group.leftOut === null && campaignWindow(group, hours, fromMs) === null,
  );
  const n = sumOf(closed);
  if (n === 0) return [];
  const message = `${n} of ${size} people have no minute in the next eight days that the campaign, the org and the laws of every place and zone they may be in allow.`;
  return [{ code: 'no-legal-hour', message, severity: n === size ? 'error' : 'warning' }];
}

async function findMissingFields(
  tenant: TenantDatabase,
  { campaign, script, size }: Readiness,
): Promise<PreviewProblem[]> {
  const fields = requiredFields(script);
  if (fields.length === 0 || size === 0) return [];
  const lacking = await countMissingFields(tenant, { ...campaign, fields });
  return lacking.map(({ field, n }) => ({
    code: 'missing-merge-field',
    message: `${n} of ${size} people have no "${field}", and a text without a fallback for it is not sent.`,
    severity: n === size ? 'error' : 'warning',
  }));
}

function templates(script: Script): Template[] {
  return Object.values(script.steps).flatMap((step) => {
    const parsed = parseTemplate(step.text);
    return parsed.ok ? [parsed.template] : [];
  });
}

function usedFields(script: Script): string[] {
  return templates(script).flatMap(templateFields);
}

function requiredFields(script: Script): string[] {
  const fields = templates(script).flatMap(({ parts }) =>
    parts.flatMap((part) =>
      typeof part !== 'string' && part.fallback === null ? [part.field] : [],
    ),
  );
  return [...new Set(fields)];
}

function sumOf(groups: readonly AudienceGroup[]): number {
  return groups.reduce((sum, group) => sum + group.n, 0);
}

function error(code: string, message: string): PreviewProblem {
  return { code, message, severity: 'error' };
}
