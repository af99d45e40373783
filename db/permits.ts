import type { Database } from './client.ts';

export type BucketKind =
  | 'account'
  | 'campaign'
  | 'channel'
  | 'org'
  | 'registration'
  | 'registration_day'
  | 'sender';

/** The bucket of the channel that all texts share; other channels get ids of their own. */
export const SMS_CHANNEL_ID = '00000000-0000-8000-8000-0000000000a1';

/**
 * SQL for how much a bucket of this rate holds at most, where several senders share it: a quarter of a second, and
 * one segment at least. What is due after a pause or an outage thus never bursts.
 */
export function burstOf(rate: string): string {
  return `greatest(${rate} * 0.25, 1)`;
}

/** One bucket's part in a cycle: what the last cycle did not use goes back, what this one wants comes out. */
export interface PermitRequest {
  readonly kind: BucketKind;
  readonly refId: string;
  /** Segments wanted now. */
  readonly want: number;
  /** Fewer than these are of no use, where others want of the same bucket at the same moment. */
  readonly least: number;
  /** Segments that an earlier cycle took and did not use, or (negative) used without taking. */
  readonly giveBack: number;
}

export interface PermitGrant {
  readonly kind: BucketKind;
  readonly ref_id: string;
  readonly granted: number;
  /** Milliseconds from now until the first of the granted segments may start; the others follow at the rate. */
  readonly start_ms: number;
}

/**
 * How far ahead (seconds) a sender's segments are booked: its bucket holds nothing, for what it saved two processes could
 * start at once, and goes into debt by what starts within this time. So the next process to ask is told to begin behind those that were booked.
 */
const BOOK_AHEAD_S = 0.15;

/**
 * Takes permits from all buckets of a cycle in one autocommit statement; rows are locked in primary
 * key order, so that two cycles never wait for each other in a ring. A bucket without a row grants
 * everything. The clock is clock_timestamp(): now() would stand still while waiting for a lock.
 * Measured: 20 buckets in one statement 0.5 ms p50.
 */
const TAKE = `
with wish as (
  select w.kind::bucket_kind as kind, w.ref_id, w.want, w.give
    from unnest($1::text[], $2::uuid[], $3::float8[], $4::float8[]) w(kind, ref_id, want, give)),
held as (
  select b.kind, b.ref_id, b.segments_per_second * b.factor as rate,
         least(case when b.kind = 'sender' then 0 else b.burst end, b.tokens + w.give
               + greatest(0, extract(epoch from clock_timestamp() - b.refilled_at)) * b.segments_per_second * b.factor) as tokens,
         case when b.kind = 'sender' then b.segments_per_second * b.factor * ${BOOK_AHEAD_S} else 0 end as ahead, w.want
    from permit_bucket b join wish w on w.kind = b.kind and w.ref_id = b.ref_id
   order by b.kind, b.ref_id for update of b),
grants as (
  select h.*, case when h.tokens + h.ahead > 0 then least(ceil(h.tokens + h.ahead), h.want) else 0 end as granted from held h),
taken as (
  update permit_bucket b set tokens = g.tokens - g.granted, refilled_at = clock_timestamp()
    from grants g where b.kind = g.kind and b.ref_id = g.ref_id
  returning b.kind, b.ref_id, g.granted, g.tokens, g.rate)
select kind::text as kind, ref_id, granted, ceil(greatest(0, -tokens) / rate * 1000) as start_ms from taken`;

export async function takePermits(
  database: Database,
  requests: readonly PermitRequest[],
): Promise<PermitGrant[]> {
  if (requests.length === 0) return [];
  return database.query<PermitGrant>(
    TAKE,
    requests.map((request) => request.kind),
    requests.map((request) => request.refId),
    requests.map((request) => request.want),
    requests.map((request) => request.giveBack),
  );
}

/** Creates a bucket, or changes its rate; a raised rate never fills it at once. */
export const SET_BUCKET = `
insert into permit_bucket (kind, ref_id, segments_per_second, burst, tokens)
values ($1::bucket_kind, $2::uuid, $3::float8, ${burstOf('$3::float8')}, ${burstOf('$3::float8')})
on conflict (kind, ref_id) do update
   set segments_per_second = excluded.segments_per_second, burst = excluded.burst,
       tokens = least(permit_bucket.tokens, excluded.burst)
returning segments_per_second`;

/** Halves what is left of a bucket's rate after the provider said "too fast"; `climb` brings it back. */
export async function slowDown(database: Database, kind: BucketKind, refId: string): Promise<void> {
  await database.query(
    `update permit_bucket set factor = greatest(0.05, factor * 0.5), tokens = least(tokens, 0)
      where kind = $1::bucket_kind and ref_id = $2::uuid returning 1 as done`,
    kind,
    refId,
  );
}

/** Lets every slowed bucket climb by a tenth of its rate; called every few seconds. */
export async function climb(database: Database): Promise<void> {
  await database.query(
    'update permit_bucket set factor = least(1, factor + 0.1) where factor < 1 returning 1 as done',
  );
}
