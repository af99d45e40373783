import type { BrakeMark } from '../domain/brakes.ts';
import type { Database } from './client.ts';

/** Conversations of a campaign that wait for a person; counts no further than `limit`. */
export async function countOpenReplies(
  database: Database,
  campaignId: string,
  limit: number,
): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `select count(*)::int as n from (
       select 1 from conversation where campaign_id = $1::uuid and state = 'needs_reply' limit $2::int) t`,
    campaignId,
    limit,
  );
  return row?.n ?? 0;
}

/** Segments of a campaign's text, by its last 200; 1 before the first. */
export async function readAverageSegments(database: Database, campaignId: string): Promise<number> {
  const [row] = await database.query<{ average: number }>(
    `select coalesce(avg(segments), 1)::float8 as average from (
       select segments from message where campaign_id = $1::uuid and direction = 'outbound' order by id desc limit 200) t`,
    campaignId,
  );
  return row?.average ?? 1;
}

/** Notes when the last first text will leave; null: nobody can say. */
export async function setProjection(
  database: Database,
  campaignId: string,
  at: Date | null,
): Promise<void> {
  await database.query(
    'update campaign_progress set projected_finish_at = $2::timestamptz where campaign_id = $1::uuid returning 1 as done',
    campaignId,
    at,
  );
}

/** Notes from which counts on the campaign's brakes look. */
export async function setBrakeMark(
  database: Database,
  campaignId: string,
  mark: BrakeMark,
): Promise<void> {
  await database.query(
    'update campaign_progress set brake_mark = $2::jsonb where campaign_id = $1::uuid returning 1 as done',
    campaignId,
    JSON.stringify(mark),
  );
}
