import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import twilio from 'twilio';
import { describe, expect, it } from 'vitest';
import type { ProviderAccount, WebhookRequest } from '../../providers/messaging-provider.ts';
import {
  isSignedAsIs,
  parseTwilioInbound,
  parseTwilioStatus,
  verifyTwilioWebhook,
} from '../../providers/twilio-webhooks.ts';

const SID = `SM${'a'.repeat(32)}`;
const ACCOUNT = `AC${'b'.repeat(32)}`;
const TOKEN = 'primary-token';
const URL_CALLED = 'https://text.example/hooks/acc-1/in';
const FORM = 'application/x-www-form-urlencoded';
const BODY = `AccountSid=${ACCOUNT}&MessageSid=${SID}&From=%2B12025550123&To=%2B15005550006&Body=a+b%26c`;

function anAccount(...authTokens: [string, ...string[]]): ProviderAccount {
  return { id: 'acc-1', accountSid: ACCOUNT, authTokens, baseUrl: null };
}

/** Signs as Twilio does, independently of how the adapter reads the body. */
function sign(rawBody: string, url = URL_CALLED, token = TOKEN): string {
  const form = new URLSearchParams(rawBody);
  const params = Object.fromEntries(
    [...new Set(form.keys())].map((name) => {
      const values = form.getAll(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
  return twilio.getExpectedTwilioSignature(token, url, params);
}

function aRequest(changes: Partial<WebhookRequest> = {}): WebhookRequest {
  const url = changes.url ?? URL_CALLED;
  const rawBody = changes.rawBody ?? BODY;
  return { url, rawBody, contentType: FORM, signature: sign(rawBody, url), ...changes };
}

const verify = (request: WebhookRequest, account = anAccount(TOKEN)): boolean =>
  verifyTwilioWebhook(account, request);

describe('a genuine webhook', () => {
  const withQuery = `${URL_CALLED}?m=1&x=%20'é`;
  it.each<[string, WebhookRequest]>([
    ['with a form', aRequest()],
    ['with a charset', aRequest({ contentType: `${FORM}; charset=UTF-8` })],
    ['with a content type in capitals', aRequest({ contentType: FORM.toUpperCase() })],
    ['(a) with blank parameters', aRequest({ rawBody: `${BODY}&MediaUrl0=&FromCity=` })],
    ['(b) with repeated parameters', aRequest({ rawBody: `${BODY}&X=2&X=1&X=2` })],
    ['(d) signed with a port', aRequest({ signature: sign(BODY, withPort(URL_CALLED)) })],
    [
      '(d) called with a port',
      aRequest({ url: withPort(URL_CALLED), signature: sign(BODY, URL_CALLED) }),
    ],
    ['(e) with a raw query', aRequest({ url: withQuery })],
    ['with a fragment', aRequest({ url: `${URL_CALLED}#rc=5&rp=all`, signature: sign(BODY) })],
    ['(f) with fields that nobody knows', aRequest({ rawBody: `${BODY}&NewIn2031=%F0%9F%91%8D` })],
    ['with a parameter named __proto__', aRequest({ rawBody: `${BODY}&__proto__=1` })],
    ['without any parameters', aRequest({ rawBody: '' })],
  ])('is accepted %s', (_what, request) => {
    expect(verify(request)).toBe(true);
  });

  it.each([
    ['the primary token', TOKEN],
    ['the secondary token', 'secondary-token'],
  ])('(g) is accepted with %s during a rotation', (_what, token) => {
    const request = aRequest({ signature: sign(BODY, URL_CALLED, token) });
    expect(verify(request, anAccount(TOKEN, 'secondary-token'))).toBe(true);
  });
});

describe('a webhook is refused', () => {
  it.each<[string, WebhookRequest]>([
    ['without a signature', aRequest({ signature: null })],
    ['with an empty signature', aRequest({ signature: '' })],
    ['with a signature of another length', aRequest({ signature: 'AAAA' })],
    ['with a changed field', { ...aRequest(), rawBody: BODY.replace('a+b', 'a+c') }],
    ['with an added field', { ...aRequest(), rawBody: `${BODY}&OptOutType=START` }],
    [
      '(a) with its blank field dropped',
      { ...aRequest({ rawBody: `${BODY}&FromCity=x` }), rawBody: BODY },
    ],
    [
      '(b) with only one of two values',
      { ...aRequest({ rawBody: `${BODY}&X=1&X=2` }), rawBody: `${BODY}&X=1` },
    ],
    ['for another path', { ...aRequest(), url: URL_CALLED.replace('acc-1', 'acc-2') }],
    [
      'with a changed query',
      { ...aRequest({ url: `${URL_CALLED}?m=1` }), url: `${URL_CALLED}?m=2` },
    ],
    ['over another protocol', { ...aRequest(), url: URL_CALLED.replace('https', 'http') }],
    ['(c) at a malformed URL', aRequest({ url: 'not a url', signature: sign(BODY) })],
    ['(c) at an empty URL', aRequest({ url: '', signature: sign(BODY) })],
    ["(h) with another tenant's token", aRequest({ signature: sign(BODY, URL_CALLED, 'theirs') })],
    ['without a content type', aRequest({ contentType: null })],
    ['as plain text', aRequest({ contentType: 'text/plain' })],
    ['as multipart', aRequest({ contentType: 'multipart/form-data; boundary=x' })],
  ])('%s', (_what, request) => {
    expect(verify(request)).toBe(false);
  });
});

describe('a JSON webhook', () => {
  const json = '{"a":1}';
  const hash = createHash('sha256').update(json).digest('hex');
  const hashed = `${URL_CALLED}?bodySHA256=${hash}`;
  const signed = { contentType: 'application/json', rawBody: json, signature: sign('', hashed) };

  it('is accepted with the hash of its body in the URL', () => {
    expect(verify({ ...signed, url: hashed })).toBe(true);
  });

  it.each<[string, WebhookRequest]>([
    ['another body', { ...signed, url: hashed, rawBody: '{"a":2}' }],
    ['(i) no hash, signed over no parameters', { ...signed, url: URL_CALLED, signature: sign('') }],
    ['an empty hash', aJson(`${URL_CALLED}?bodySHA256=`)],
    ['a hash in the path only', aJson(`${URL_CALLED}/bodySHA256=${hash}`)],
    ['a hash in the fragment only', aJson(`${URL_CALLED}#bodySHA256=${hash}`)],
    ['a form under its content type', { ...signed, url: URL_CALLED, rawBody: BODY }],
  ])('is refused with %s', (_what, request) => {
    expect(verify(request)).toBe(false);
  });

  it('does not lend its signature to a form', () => {
    const request = { ...signed, url: hashed, contentType: FORM, rawBody: BODY };
    expect(verify(request)).toBe(false);
    expect(verify(aRequest({ url: hashed }))).toBe(true);
  });

  function aJson(url: string): WebhookRequest {
    return { ...signed, url, signature: sign('', url.split('#', 1)[0]) };
  }
});

describe('the limits of the scheme', () => {
  it('do not tell where a name ends and its value begins, so required fields are checked after', () => {
    const shifted = BODY.replace('Body=a', 'Bodya=');
    const request = { ...aRequest({ rawBody: BODY }), rawBody: shifted };
    expect(verify(request)).toBe(true);
    const moved = BODY.replace('From=%2B', 'From%2B=');
    expect(verify({ ...aRequest(), rawBody: moved })).toBe(true);
    expect(parseTwilioInbound(moved).ok).toBe(false);
  });

  it('do not tell repeated equal values apart, so a field that counts must not differ', () => {
    expect(parseTwilioInbound(`${BODY}&From=%2B12025550123`).ok).toBe(true);
    expect(parseTwilioInbound(`${BODY}&From=%2B19995550123`)).toMatchObject({
      ok: false,
      problem: expect.stringContaining('From'),
    });
  });
});

describe('an incoming text', () => {
  it('is read with its pictures and unknown fields', () => {
    const media =
      '&NumMedia=2&MediaUrl0=https%3A%2F%2Fm.example%2F0&MediaContentType0=image%2Fpng&MediaUrl1=https%3A%2F%2Fm.example%2F1';
    expect(parseTwilioInbound(`${BODY}${media}&New=1&OptOutType=STOP`)).toEqual({
      ok: true,
      value: {
        providerMessageId: SID,
        accountSid: ACCOUNT,
        from: '+12025550123',
        to: '+15005550006',
        body: 'a b&c',
        media: [
          { url: 'https://m.example/0', contentType: 'image/png' },
          { url: 'https://m.example/1', contentType: 'application/octet-stream' },
        ],
        providerOptOut: 'stop',
        receivedAt: null,
      },
    });
  });

  it.each([
    ['START', 'start'],
    ['HELP', 'help'],
    ['MAYBE', null],
    ['', null],
  ])('with OptOutType "%s" was handled as %s', (word, expected) => {
    const parsed = parseTwilioInbound(`${BODY}&OptOutType=${word}`);
    expect(parsed).toMatchObject({ value: { providerOptOut: expected } });
  });

  it.each([
    ['no MessageSid', BODY.replace('MessageSid', 'X')],
    ['a MessageSid of another kind', BODY.replace('MessageSid=SM', 'MessageSid=CA')],
    ['a short MessageSid', BODY.replace(SID, 'SM123')],
    ['no AccountSid', BODY.replace('AccountSid', 'X')],
    ['no From', BODY.replace('From', 'X')],
    ['an empty From', BODY.replace('From=%2B12025550123', 'From=')],
    ['an endless From', BODY.replace('12025550123', '1'.repeat(200))],
    ['no To', BODY.replace('To=', 'X=')],
    ['a NumMedia that is none', `${BODY}&NumMedia=many`],
    ['an endless Body', BODY.replace('a+b', 'a'.repeat(70_000))],
  ])('is not read with %s', (_what, rawBody) => {
    expect(parseTwilioInbound(rawBody)).toMatchObject({ ok: false });
  });

  it('may have no words', () => {
    const rawBody = BODY.replace('&Body=a+b%26c', '&NumMedia=0&Body=');
    expect(parseTwilioInbound(rawBody)).toMatchObject({ value: { body: '' } });
  });

  it('is not read when its body was shifted into another name, though the signature holds', () => {
    const rawBody = BODY.replace('&Body=a+b%26c', '&Bodya+=b%26c');
    expect(parseTwilioInbound(rawBody)).toMatchObject({ ok: false });
  });

  it('may repeat a parameter that nobody reads', () => {
    expect(parseTwilioInbound(`${BODY}&AddOns=a&AddOns=b`)).toMatchObject({ ok: true });
  });
});

describe('a delivery report', () => {
  it.each([
    ['accepted', 'queued'],
    ['scheduled', 'queued'],
    ['queued', 'queued'],
    ['sending', 'sending'],
    ['sent', 'sent'],
    ['delivered', 'delivered'],
    ['undelivered', 'undelivered'],
    ['failed', 'failed'],
    ['canceled', 'canceled'],
    ['read', 'read'],
  ])('of %s means %s', (word, status) => {
    const rawBody = `${BODY}&MessageStatus=${word}&ErrorCode=`;
    expect(parseTwilioStatus(rawBody)).toEqual({
      ok: true,
      value: {
        providerMessageId: SID,
        accountSid: ACCOUNT,
        status,
        errorCode: null,
        from: '+12025550123',
        to: '+15005550006',
      },
    });
  });

  it('carries the error number', () => {
    const parsed = parseTwilioStatus(`${BODY}&MessageStatus=undelivered&ErrorCode=30006`);
    expect(parsed).toMatchObject({ value: { errorCode: 30006 } });
  });

  it.each([
    ['the status of an incoming text', `${BODY}&MessageStatus=received`],
    ['another status of an incoming text', `${BODY}&MessageStatus=receiving`],
    ['an unknown status', `${BODY}&MessageStatus=bogus`],
    ['no status', BODY],
    ['a status of a prototype', `${BODY}&MessageStatus=constructor`],
    ['an error number that is none', `${BODY}&MessageStatus=sent&ErrorCode=x`],
  ])('is not read with %s', (_what, rawBody) => {
    expect(parseTwilioStatus(rawBody)).toMatchObject({ ok: false });
  });
});

function withPort(url: string): string {
  return url.replace('text.example', 'text.example:443');
}

describe('our own signature', () => {
  const name = fc.oneof(
    fc.constantFrom('Body', 'From', 'FromCity', 'body', 'B', 'Ä', ''),
    // Names that Node would move to the front of an object are none of Twilio's.
    fc.string({ unit: 'grapheme' }).filter((text) => !/^\d+$/.test(text) && text !== '__proto__'),
  );
  const value = fc.oneof(fc.constantFrom('', 'yes', 'a b&c=+%', '😀'), fc.string());
  const forms = fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 20 });

  it("is the SDK's for any form, whatever its order and repetitions", () => {
    fc.assert(
      fc.property(forms, (pairs) => {
        const rawBody = new URLSearchParams(pairs).toString();
        const form = new URLSearchParams(rawBody);
        const signature = sign(rawBody);
        expect(isSignedAsIs({ token: TOKEN, signature, url: URL_CALLED, form })).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("refuses the SDK's signature of any other form", () => {
    fc.assert(
      fc.property(forms, forms, (ours, theirs) => {
        const [form, other] = [new URLSearchParams(ours), new URLSearchParams(theirs).toString()];
        const signature = sign(other);
        fc.pre(signature !== sign(form.toString()));
        expect(isSignedAsIs({ token: TOKEN, signature, url: URL_CALLED, form })).toBe(false);
      }),
    );
  });
});
