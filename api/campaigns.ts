import type { z } from '@hono/zod-openapi';
import type { CampaignDraft, CampaignView } from '../db/campaign-drafts.ts';
import { CAMPAIGN_ACTIONS, nextState } from '../domain/campaign-state.ts';
import { campaignWorkflowId } from '../workflows/contract.ts';
import type { ApiDeps } from './context.ts';
import { ApiError } from './errors.ts';
import type {
  BrakesSchema,
  CreateCampaignSchema,
  PatchCampaignSchema,
  TextingHoursSchema,
} from './schemas/campaigns.ts';

type TextingHours = z.infer<typeof TextingHoursSchema>;

const DEFAULTS = {
  programme: null,
  startMode: 'auto',
  unknownPolicy: 'confirmed_absent',
  hoursStartMinute: 540,
  hoursEndMinute: 1_200,
  hoursDays: [1, 2, 3, 4, 5, 6],
  hoursBlackout: [],
  segmentsPerSecond: null,
  replyWindowSeconds: 259_200,
  startsAt: null,
  startsAtLocal: null,
  busyPolicy: 'delay',
  busyMinutes: 60,
  finishBy: null,
  maxOpenReplies: null,
  brakeMinTexts: 200,
  brakeFailures: 0.3,
  brakeOptOuts: 0.15,
  brakeViolations: 0.05,
} as const;

/** What a body says over what stands, or over the defaults. */
export function toDraft(
  ...[input, before]:
    | [z.infer<typeof CreateCampaignSchema>]
    | [z.infer<typeof PatchCampaignSchema>, CampaignDraft]
): CampaignDraft {
  const { textingHours, brakes, ...given } = input;
  const hours = textingHours === undefined ? {} : toHours(textingHours);
  const limits = brakes === undefined ? {} : toBrakes(brakes);
  // The first form has every required field; the second begins with a whole draft.
  return { ...DEFAULTS, ...before, ...definedOnly(given), ...hours, ...limits } as CampaignDraft;
}

/** A campaign as the API shows it. */
export function showCampaign({ settings }: Pick<ApiDeps, 'settings'>) {
  return (row: CampaignView) => {
    const { hoursStartMinute, hoursEndMinute, hoursDays, hoursBlackout, ...others } = row;
    const { brakeMinTexts, brakeFailures, brakeOptOuts, brakeViolations, ...rest } = others;
    const brakes = {
      minTexts: brakeMinTexts,
      failures: brakeFailures,
      optOuts: brakeOptOuts,
      violations: brakeViolations,
    };
    const textingHours = {
      start: toClock(hoursStartMinute),
      end: toClock(hoursEndMinute),
      days: hoursDays,
      blackoutDates: hoursBlackout,
    };
    const temporalUrl =
      row.launchedAt === null
        ? null
        : `${settings.temporalUiUrl.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(settings.temporalNamespace)}/workflows/${encodeURIComponent(campaignWorkflowId(row.id))}`;
    return { ...rest, textingHours, brakes, temporalUrl };
  };
}

/** What an admin can do; starting and finishing are the engine's. */
const OWN_ACTIONS = CAMPAIGN_ACTIONS.filter((action) => action !== 'start' && action !== 'finish');

/** Says in which state the campaign is and what it allows. */
export function stateError(campaign: Pick<CampaignView, 'state'>, action: string): ApiError {
  const allowed = OWN_ACTIONS.filter((each) => nextState(campaign.state, each) !== null);
  const can =
    allowed.length === 0 ? 'It allows nothing more.' : `It allows: ${allowed.join(', ')}.`;
  return new ApiError(
    'campaign-state',
    `The campaign is ${campaign.state}, which does not allow to ${action}. ${can}`,
    { errors: [{ field: 'state', message: campaign.state }] },
  );
}

function toBrakes(brakes: z.infer<typeof BrakesSchema>) {
  return definedOnly({
    brakeMinTexts: brakes.minTexts,
    brakeFailures: brakes.failures,
    brakeOptOuts: brakes.optOuts,
    brakeViolations: brakes.violations,
  });
}

function toHours(hours: TextingHours) {
  const { startMinute, endMinute, days } = toMinutes(hours);
  return {
    hoursStartMinute: startMinute,
    hoursEndMinute: endMinute,
    hoursDays: days,
    hoursBlackout: toDates(hours.blackoutDates),
  };
}

export function toDates(dates: readonly string[]): string[] {
  return [...new Set(dates)].toSorted();
}

/** Minutes after midnight and sorted days, as they are kept. */
export function toMinutes(hours: Omit<TextingHours, 'blackoutDates'>) {
  return {
    startMinute: toMinute(hours.start),
    endMinute: toMinute(hours.end),
    days: [...new Set(hours.days)].toSorted((a, b) => a - b),
  };
}

function toMinute(clock: string): number {
  const [hour = 0, minute = 0] = clock.split(':').map(Number);
  return hour * 60 + minute;
}

/** `HH:MM`. */
export function toClock(minute: number): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

function definedOnly(given: object): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
