import { describe, expect, test } from 'vitest';
import { judgeInbound } from './judges/inbound.ts';
import { judgeIntruders } from './judges/intruders.ts';
import { judgeDelivery } from './judges/delivery.ts';
import type { ReportsFact } from './facts/facts.ts';
import { aCreate, aMessage, aStoredText, aText, someFacts, type Given } from './some-facts.ts';

describe('inbound texts', () => {
  const unacked = aText({ ackedAtMs: null });

  test.each<[string, Given]>([
    ['a text that is stored once', { inbound: [aText()], messages: [aStoredText()] }],
    ['a text that waits for its next webhook', { inbound: [unacked] }],
    [
      'a text that the list alone holds, once it is stored',
      {
        inbound: [aText({ ackedAtMs: null, isListOnly: true })],
        messages: [aStoredText()],
        expectations: { healed: true },
      },
    ],
    [
      'a body that Postgres refused, kept raw',
      { inbound: [aText()], ledger: { quarantined: new Set(['SM9']) } },
    ],
  ])('accept %s', (_title, given) => {
    expect(judgeInbound(someFacts(given))).toMatchObject({ ok: true, examples: [] });
  });

  test.each<[string, Given]>([
    ['a text that was acknowledged and is not there', { inbound: [aText()] }],
    [
      'a text that the provider holds, after the heal',
      { inbound: [unacked], expectations: { healed: true } },
    ],
    [
      'a text that is stored twice',
      { inbound: [aText()], messages: [aStoredText(), aStoredText({ id: 'i2' })] },
    ],
    [
      'a text with another body',
      { inbound: [aText()], messages: [aStoredText({ bodyMd5: 'another' })] },
    ],
    [
      'a text of another person',
      { inbound: [aText()], messages: [aStoredText({ address: '+13125550199' })] },
    ],
  ])('refuse %s', (_title, given) => {
    expect(judgeInbound(someFacts(given)).violations).toBe(1);
  });
});

describe('intruders', () => {
  const forged = { path: '/webhooks/twilio/a/inbound', status: 403, sid: 'SM7', forged: true };
  const sent: Given = { creates: [aCreate()], messages: [aMessage()] };
  const reports = { SM1: { ever: new Map([['queued', null]]), acked: new Set<string>() } };

  test.each<[string, Given]>([
    ['a forgery that was refused', { intruders: [forged] }],
    ['a genuine request sent again', { intruders: [{ ...forged, status: 204, forged: false }] }],
    ['what the provider sent', { ...sent, inbound: [aText()] }],
    [
      'reports that were made',
      { ...sent, reports, ledger: { events: new Map([['account-1 SM1', ['queued']]]) } },
    ],
  ])('accept %s', (_title, given) => {
    expect(judgeIntruders(someFacts(given))).toMatchObject({ ok: true, examples: [] });
  });

  test.each<[string, Given]>([
    ['a forgery that was taken', { intruders: [{ ...forged, status: 204 }] }],
    ['a stored text that nobody sent', { messages: [aStoredText()] }],
    ['a key of a text that nobody sent', { ledger: { inboundKeys: new Set(['SM7']) } }],
    [
      'a report that was never made',
      { ...sent, reports, ledger: { events: new Map([['account-1 SM1', ['delivered']]]) } },
    ],
    [
      'a row that is known by the text of another account',
      { creates: [aCreate({ accountSid: 'AC2' })], messages: [aMessage()] },
    ],
    [
      'an event that names the row of another account',
      { ledger: { foreignEvents: { rule: 'foreign', rows: 1, examples: ['e1'] } } },
    ],
  ])('refuse %s', (_title, given) => {
    expect(judgeIntruders(someFacts(given)).violations).toBe(1);
  });
});

describe('delivery', () => {
  const said = (ever: Record<string, number | null>, acked: string[]): ReportsFact => ({
    ever: new Map(Object.entries(ever)),
    acked: new Set(acked),
  });
  const judge = (delivery: string, SM1: ReportsFact, errorCode: number | null = null) =>
    judgeDelivery(someFacts({ messages: [aMessage({ delivery, errorCode })], reports: { SM1 } }));
  const arrived = { queued: null, sent: null, delivered: null };

  test.each<[string, string, ReportsFact, number | null]>([
    ['the highest report', 'delivered', said(arrived, ['sent', 'delivered']), null],
    ['no report yet', 'none', said(arrived, []), null],
    ['a report whose answer was lost', 'delivered', said(arrived, ['sent']), null],
    [
      'a failure with its number',
      'undelivered',
      said({ sent: null, undelivered: 30005 }, ['undelivered']),
      30005,
    ],
  ])('may be %s', (_title, delivery, reports, errorCode) => {
    expect(judge(delivery, reports, errorCode).ok).toBe(true);
  });

  test.each<[string, string, ReportsFact]>([
    ['what came last', 'sent', said(arrived, ['delivered', 'sent'])],
    ['what the provider never said', 'read', said(arrived, ['delivered'])],
    ['a failure without its number', 'undelivered', said({ undelivered: 30005 }, ['undelivered'])],
  ])('may not be %s', (_title, delivery, reports) => {
    expect(judge(delivery, reports).violations).toBe(1);
  });
});
