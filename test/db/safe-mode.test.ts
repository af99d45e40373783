import { beforeEach, describe, expect, test } from 'vitest';
import { claimCampaignLane } from '../support/claims.ts';
import { beat, findLostSpan, leaveSafeMode, type Beat } from '../../db/deployment.ts';
import { withLedger } from '../support/ledger.ts';

const ledger = withLedger();
const OTHER = '00000000-0000-4000-8000-000000000000';

async function claimed(knownBeat = new Date(0)): Promise<number> {
  const campaign = await ledger().addCampaign();
  const result = await claimCampaignLane(ledger().database, {
    seats: ledger().senders.map(({ id, e164 }) => ({ senderId: id, sender: e164, segments: 1 })),
    limit: 10,
    leaseMs: 20_000,
    knownBeat,
    campaignId: campaign.id,
    fence: 1,
    watermark: null,
  });
  return result.claimed.length;
}

/** What a process remembers after a beat of this database. */
async function remembered(): Promise<Beat> {
  return (await beat(ledger().database, null)).beat;
}

beforeEach(async () => {
  await ledger().database.query(
    `update deployment set beat_at = now(), epoch = 1, safe_mode_at = null, safe_mode_reason = null, safe_mode_beat_at = null,
            safe_mode_last_beat_at = null returning 1 as done`,
  );
  await ledger().database.query('update provider_account set gap_since = null returning 1 as done');
});

describe('a database that is what its mirror remembers', () => {
  test('is claimed from', async () => {
    const known = await remembered();
    expect((await beat(ledger().database, known)).safeMode).toBeNull();
    expect(await claimed(known.beatAt)).toBe(1);
  });

  test.each([
    ['of another deployment, before it has sent anything', { uid: OTHER, epoch: 9 }],
    ['from before the last recovery', { epoch: 0, systemId: 'another', timeline: '00000009' }],
  ])('is not doubted because of a mirror %s', async (_name, stale) => {
    const known = { ...(await remembered()), ...stale };
    expect((await beat(ledger().database, known)).safeMode).toBeNull();
  });
});

describe('a database that was restored', () => {
  const later = (beatAt: Date): Date => new Date(beatAt.getTime() + 60_000);

  test.each([
    ['is behind its mirror', (known: Beat) => ({ ...known, beatAt: later(known.beatAt) }), 'older'],
    ['lost a recovery', (known: Beat) => ({ ...known, epoch: 2 }), 'older'],
    ['is another cluster', (known: Beat) => ({ ...known, systemId: '1' }), 'moved'],
    ['is another deployment’s', (known: Beat) => ({ ...known, uid: OTHER }), 'moved'],
    ['is on another timeline', (known: Beat) => ({ ...known, timeline: '000000FF' }), 'moved'],
  ] as const)('and %s is claimed from no more', async (_name, change, reason) => {
    const known = change(await remembered());
    await ledger().database.query(
      `insert into provider_key (account_id, provider_message_id, message_id) values ($1::uuid, 'SM1', $1::uuid) on conflict do nothing returning 1 as done`,
      ledger().accountId,
    );
    expect((await beat(ledger().database, known)).safeMode).toBe(reason);
    expect(await claimed()).toBe(0);
    // The flag stays, whatever the next process remembers.
    expect((await beat(ledger().database, null)).safeMode).toBe(reason);
  });

  test('is not claimed from in the second before the next beat notices', async () => {
    const { beatAt } = await remembered();
    expect(await claimed(later(beatAt))).toBe(0);
  });

  test('remembers since and until when texts may be missing, until a recovery raises its epoch', async () => {
    const known = await remembered();
    await beat(ledger().database, { ...known, beatAt: later(known.beatAt) });
    expect(await findLostSpan(ledger().database)).toEqual({
      since: known.beatAt,
      until: later(known.beatAt),
    });
    expect(await leaveSafeMode(ledger().database)).toBe(2);
    expect(await findLostSpan(ledger().database)).toBeNull();
    expect(await claimed()).toBe(1);
    // A host that was away has an old mirror: its epoch says so.
    expect(
      (await beat(ledger().database, { ...known, beatAt: later(known.beatAt) })).safeMode,
    ).toBeNull();
  });
});
