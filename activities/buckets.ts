import type { Seat } from '../db/claims.ts';
import { SMS_CHANNEL_ID, type BucketKind } from '../db/permits.ts';
import type { PoolSender } from '../db/pools.ts';
import { bucketKey, type PermitBook } from './permit-book.ts';
import type { SenderPace } from './sender-pace.ts';

/** A token bucket that a text spends from. */
export interface Bucket {
  readonly kind: BucketKind;
  readonly refId: string;
}

/** Whose work it is. */
export interface Owner {
  readonly org_id: string;
  readonly account_id: string;
}

/** The buckets of one sender: its own, and those of its carrier registration. */
export function senderBuckets(sender: Pick<PoolSender, 'id' | 'registration_id'>): Bucket[] {
  const own: Bucket = { kind: 'sender', refId: sender.id };
  if (sender.registration_id === null) return [own];
  const refId = sender.registration_id;
  return [own, { kind: 'registration', refId }, { kind: 'registration_day', refId }];
}

/** The buckets that every text of this owner spends, and of this campaign where it has a limit of its own. */
export function sharedBuckets(owner: Owner, limitedCampaignId: string | null): Bucket[] {
  const shared: Bucket[] = [
    { kind: 'account', refId: owner.account_id },
    { kind: 'org', refId: owner.org_id },
    { kind: 'channel', refId: SMS_CHANNEL_ID },
  ];
  if (limitedCampaignId !== null) shared.push({ kind: 'campaign', refId: limitedCampaignId });
  return shared;
}

/** Books a text's segments on all of its buckets; a negative number gives them back. */
export function spendOn(permits: PermitBook, buckets: readonly Bucket[], segments: number): void {
  for (const { kind, refId } of buckets) permits.spend(kind, refId, segments);
}

/**
 * Seats for a claim: for each sender the segments that it may start now, within its own permits, its
 * pace and what is left of the buckets that it shares with the seats before it. `share` is the part of
 * its own permits that this claim may use.
 */
export function allotSeats(
  book: { readonly permits: PermitBook; readonly pace: SenderPace },
  senders: readonly PoolSender[],
  wish: { readonly shared: readonly Bucket[]; readonly share: (sender: PoolSender) => number },
): Seat[] {
  const { permits, pace } = book;
  const rest = new Map<string, number>();
  const left = (bucket: Bucket): number => {
    const key = bucketKey(bucket.kind, bucket.refId);
    const known = rest.get(key) ?? permits.left(bucket.kind, bucket.refId);
    rest.set(key, known);
    return known;
  };
  const seats: Seat[] = [];
  for (const sender of senders) {
    const buckets = [...senderBuckets(sender), ...wish.shared];
    const own = Math.floor(permits.left('sender', sender.id) * wish.share(sender));
    const segments = Math.min(
      own,
      pace.room(sender.id, sender.segments_per_second),
      ...buckets.map(left),
    );
    if (segments < 1) continue;
    for (const { kind, refId } of buckets)
      rest.set(bucketKey(kind, refId), left({ kind, refId }) - segments);
    seats.push({ senderId: sender.id, sender: sender.e164, segments });
  }
  return seats;
}
