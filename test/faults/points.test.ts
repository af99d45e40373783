import { afterEach, describe, expect, test } from 'vitest';
import {
  armFaultPoints,
  FAULT_POINTS,
  FaultError,
  faultPoint,
  parseFaultPoints,
} from '../../faults/points.ts';

afterEach(() => armFaultPoints([], () => {}));

function arm(text: string): string[] {
  const heard: string[] = [];
  const parsed = parseFaultPoints(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  armFaultPoints(parsed.value, ({ point, action }) => heard.push(`${point} ${action}`));
  return heard;
}

describe('fault points', () => {
  test('do nothing while none is armed', () => {
    for (const point of Object.keys(FAULT_POINTS))
      expect(() => faultPoint(point as keyof typeof FAULT_POINTS)).not.toThrow();
  });

  test('strike once, at the passage that was named', () => {
    const heard = arm('send.accepted:fail@3');
    faultPoint('send.accepted');
    faultPoint('send.claimed');
    faultPoint('send.accepted');
    expect(() => faultPoint('send.accepted')).toThrow(FaultError);
    faultPoint('send.accepted');
    expect(heard).toEqual(['send.accepted fail']);
  });

  test('strike by chance at every passage', () => {
    const heard = arm('ingest.stored:fail@0.5');
    for (let n = 0; n < 200; n += 1) {
      try {
        faultPoint('ingest.stored');
      } catch {
        // Counted by what was heard.
      }
    }
    expect(heard.length).toBeGreaterThan(50);
    expect(heard.length).toBeLessThan(150);
  });

  test.each([
    'send.accepted',
    'send.accepted:explode',
    'send.accepted:kill@0',
    'nowhere:kill',
    'send.accepted:kill@1.5',
  ])('refuse "%s"', (text) => {
    expect(parseFaultPoints(text)).toMatchObject({ ok: false });
  });
});
