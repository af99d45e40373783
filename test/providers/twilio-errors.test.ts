import { describe, expect, it } from 'vitest';
import { TWILIO_ERROR_RULES, twilioErrorRule } from '../../providers/twilio-errors.ts';

describe('the table of Twilio errors', () => {
  it('has one row for each number', () => {
    const codes = TWILIO_ERROR_RULES.map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it.each(TWILIO_ERROR_RULES)('is consistent for $code', (rule) => {
    expect(rule.source).toBe(`https://www.twilio.com/docs/api/errors/${rule.code}`);
    expect(rule.retryAfterMs !== null).toBe(rule.message === 'retry-later');
    expect(rule.contact !== 'none' && rule.message === 'retry-later').toBe(false);
    expect(rule.meaning).toMatch(/\.$/);
  });

  it.each([
    [20003, { sender: 'stop-account', campaign: 'pause' }],
    [20404, { campaign: 'pause' }],
    [20429, { message: 'retry-later', sender: 'slow-down', retryAfterMs: 1_000 }],
    [21211, { message: 'reject', contact: 'invalid-number' }],
    [21606, { message: 'retry-later', sender: 'stop-sender' }],
    [21610, { message: 'reject', contact: 'opted-out', sender: 'none' }],
    [21611, { message: 'retry-later', sender: 'hold', retryAfterMs: 600_000 }],
    [21614, { contact: 'invalid-number' }],
    [21635, { contact: 'landline' }],
    [21703, { campaign: 'pause' }],
    [30007, { message: 'reject', contact: 'none' }],
    [30410, { message: 'reject' }],
    [63038, { message: 'retry-later', sender: 'stop-account' }],
  ])('knows what to do about %i', (code, expected) => {
    expect(twilioErrorRule(code)).toMatchObject({ code, ...expected });
  });

  it.each([
    [99_999, 99_999],
    [0, 0],
    [null, 0],
  ])('gives up on the row only, for the unknown number %s', (code, expected) => {
    expect(twilioErrorRule(code)).toMatchObject({
      code: expected,
      message: 'reject',
      contact: 'none',
      sender: 'none',
      campaign: 'none',
      retryAfterMs: null,
    });
  });
});
