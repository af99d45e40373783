import { campaignSchema } from '../../cli/demo-client.ts';
import { peopleCsv, peopleNumbers, type CampaignWish } from '../support/stack/campaigns.ts';
import type { Stack } from '../support/stack/stack.ts';
import type { ChaosCampaign } from './blows.ts';

/** One campaign each, with people of one area code. */
const AREAS = ['303', '404', '503', '602', '702', '310', '212'] as const;
/** Its people live in New York, and its window opens in the middle of the run. */
const EDGE_AREA = '212';
const EDGE_ZONE = 'America/New_York';
const PEOPLE_A_MINUTE = 4_250;
/** Of whom each has a workflow from the first text on. */
const FIRST_TEXT_SHARE = 0.03;
const SENDERS = 3;
const DAYS = [1, 2, 3, 4, 5, 6, 7];

/** Makes all campaigns, then launches them together. */
export async function launchAll(
  stack: Stack,
  { minutes, durationMs }: { readonly minutes: number; readonly durationMs: number },
): Promise<ChaosCampaign[]> {
  const total = Math.ceil(minutes * PEOPLE_A_MINUTE);
  const each = Math.ceil((total * (1 - FIRST_TEXT_SHARE)) / AREAS.length);
  // A pool must be faster than it needs to be: each kill stops it for some seconds.
  const segmentsPerSecond = Math.max(1, Math.ceil((each / (durationMs / 1_000) / SENDERS) * 2.6));
  const campaigns: ChaosCampaign[] = [];
  const make = async (
    wish: CampaignWish & { area: string; count: number; opensAtMs: number | null },
  ) => {
    const { area, count, opensAtMs, ...rest } = wish;
    const prepared = await stack.prepare(rest);
    campaigns.push({
      ...prepared,
      opensAtMs,
      people: peopleNumbers(area, count),
      senders: await stack.sendersOf(prepared),
    });
  };
  const common = { senders: SENDERS, segmentsPerSecond, replyWindowSeconds: 5 };
  for (const area of AREAS) {
    const opensAtMs = area === EDGE_AREA ? nextMinute(Date.now() + durationMs * 0.35) : null;
    await make({
      ...common,
      name: `chaos-${area}`,
      csv: peopleCsv(area, each),
      area,
      count: each,
      opensAtMs,
      ...(opensAtMs === null ? {} : { textingHours: hoursFrom(opensAtMs) }),
    });
  }
  const talkers = Math.ceil(total * FIRST_TEXT_SHARE);
  await make({
    ...common,
    name: 'chaos-first-text',
    csv: peopleCsv('617', talkers),
    area: '617',
    count: talkers,
    opensAtMs: null,
    startMode: 'first_text',
    segmentsPerSecond: 3,
  });
  for (const { path } of campaigns) await stack.api.post(`${path}/launch`, campaignSchema);
  return campaigns;
}

function nextMinute(atMs: number): number {
  return Math.ceil(atMs / 60_000) * 60_000;
}

/** Twelve hours from that instant on, by the clock in New York. */
function hoursFrom(opensAtMs: number): NonNullable<CampaignWish['textingHours']> {
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone: EDGE_ZONE,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const read = (at: number): string => clock.format(at);
  const end = read(opensAtMs + 12 * 3_600_000);
  return { start: read(opensAtMs), end: end === '00:00' ? '24:00' : end, days: DAYS };
}
