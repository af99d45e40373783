import { describe, expect, test } from 'vitest';
import { AHEAD_MS } from '../../activities/sender-pace.ts';
import { createSockets } from '../../activities/sockets.ts';
import type { SocketShare } from '../../activities/sockets.ts';

function takeAll(share: SocketShare): number {
  let taken = 0;
  while (share.tryTake()) taken += 1;
  return taken;
}

describe('sockets', () => {
  test('go all to a pool that is alone', () => {
    const sockets = createSockets(64);
    expect(takeAll(sockets.share())).toBe(64);
  });

  test('leave a second pool some, however much work the first one has', () => {
    const sockets = createSockets(64);
    const [large, small] = [sockets.share(), sockets.share()];
    expect(takeAll(large)).toBe(48);
    expect(takeAll(small)).toBe(16);
  });

  test('are all there again when the other pool is done', () => {
    const sockets = createSockets(8);
    const [one, other] = [sockets.share(), sockets.share()];
    const taken = takeAll(other);
    for (let n = 0; n < taken; n += 1) other.release();
    other.close();
    expect(takeAll(one)).toBe(8);
  });

  test('give each of more pools than sockets one at most', () => {
    const sockets = createSockets(2);
    const shares = Array.from({ length: 5 }, () => sockets.share());
    expect(shares.map((share) => takeAll(share))).toEqual([1, 1, 0, 0, 0]);
  });

  test('have room for what they will take up before the turn of a row, by the latency of late', async () => {
    const sockets = createSockets(10);
    expect(sockets.free()).toBe(10);
    await answer(sockets, AHEAD_MS);
    expect(sockets.free()).toBe(20);
    await answer(sockets, 1);
    expect(sockets.free()).toBe(20);
  });

  test('have at most eight rows in hand each, however quick the provider is', async () => {
    const sockets = createSockets(10);
    for (let n = 0; n < 200; n += 1) await answer(sockets, 1);
    expect(sockets.free()).toBe(80);
  });

  test('have little more room than themselves once the provider is slow', async () => {
    const sockets = createSockets(10);
    await answer(sockets, 5);
    for (let n = 0; n < 200; n += 1) await answer(sockets, AHEAD_MS * 10);
    expect(sockets.free()).toBe(11);
  });

  test('have no room while a row waits for one', async () => {
    const sockets = createSockets(1);
    await answer(sockets, 5);
    await sockets.wire.take(soon());
    const second = sockets.wire.take(soon());
    expect(sockets.free()).toBe(0);
    sockets.wire.give(5);
    expect(await second).toBe(true);
    expect(sockets.free()).toBe(8);
  });

  test('are given in turn, and to nobody whose time is over', async () => {
    const sockets = createSockets(1);
    await sockets.wire.take(soon());
    const order: string[] = [];
    const late = sockets.wire
      .take(performance.now() + 5)
      .then((taken) => order.push(`late ${taken}`));
    const first = sockets.wire.take(soon()).then((taken) => order.push(`first ${taken}`));
    const second = sockets.wire.take(soon()).then((taken) => order.push(`second ${taken}`));
    await late;
    sockets.wire.give(null);
    await first;
    sockets.wire.give(null);
    await second;
    expect(order).toEqual(['late false', 'first true', 'second true']);
  });
});

async function answer({ wire }: Pick<ReturnType<typeof createSockets>, 'wire'>, tookMs: number) {
  await wire.take(soon());
  wire.give(tookMs);
}

function soon(): number {
  return performance.now() + 10_000;
}
