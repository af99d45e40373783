import { describe, expect, test } from 'vitest';
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
});
