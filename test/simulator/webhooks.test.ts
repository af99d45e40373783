import twilio from 'twilio';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseTarget, signWebhook } from '../../simulator/callbacks.ts';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  closedPort,
  createCleanup,
  PERSON,
  SENDER,
  startReceiver,
  startSimulator,
} from './support.ts';

const cleanup = createCleanup();
afterEach(() => cleanup.run());

async function start(statuses: number[] = []) {
  const receiver = cleanup.add(await startReceiver(statuses));
  const simulator = cleanup.add(await startSimulator());
  return { ...simulator, receiver };
}

describe('delivery reports', () => {
  it('arrive signed, one for each status but the first', async () => {
    const { client, receiver } = await start();
    const statusCallback = `${receiver.url}/s/1?m=a%20b&x='#rc=5&rp=all`;
    const { sid } = await client.messages.create({
      to: PERSON,
      from: SENDER,
      body: 'Hi',
      statusCallback,
    });
    await vi.waitFor(() => expect(receiver.received).toHaveLength(2));
    const statuses = receiver.received.map(({ params }) => params['MessageStatus']);
    expect(statuses).toEqual(['sent', 'delivered']);
    for (const { signature, params, path } of receiver.received) {
      const url = statusCallback.split('#', 1)[0] ?? '';
      expect(twilio.validateRequest(AUTH_TOKEN, signature, url, params)).toBe(true);
      expect(path).not.toContain('#');
      expect(params).toMatchObject({ AccountSid: ACCOUNT_SID, MessageSid: sid, SmsSid: sid });
    }
  });

  it('carry an error number for numbers that cannot be reached', async () => {
    const { client, control, receiver } = await start();
    await control('PUT', 'settings', { failureShare: 1 });
    const numbers = Array.from({ length: 40 }, (_, index) => `+1202555${1_000 + index}`);
    for (const to of numbers) {
      const text = { to, from: SENDER, body: 'Hi', statusCallback: receiver.url };
      await client.messages.create(text);
    }
    await vi.waitFor(() => expect(receiver.received).toHaveLength(80));
    const codes = receiver.received.flatMap(({ params }) =>
      params['MessageStatus'] === 'undelivered' ? [params['ErrorCode']] : [],
    );
    expect(new Set(codes)).toEqual(new Set(['30003', '30005', '30006', '30007']));
  });

  it.each([
    { fault: 'drop-callbacks', times: 1, expected: ['delivered'] },
    { fault: 'duplicate-callbacks', times: 1, expected: ['delivered', 'sent', 'sent'] },
    { fault: 'delay-callbacks', times: 1, delayMs: 60, expected: ['delivered', 'sent'] },
    { fault: 'shuffle-callbacks', times: 2, delayMs: 60, expected: ['delivered', 'sent'] },
  ])('obey $fault', async ({ expected, ...fault }) => {
    const { client, control, receiver } = await start();
    await control('POST', 'faults', [fault]);
    const text = { to: PERSON, from: SENDER, body: 'Hi', statusCallback: receiver.url };
    await client.messages.create(text);
    await vi.waitFor(() => expect(receiver.received).toHaveLength(expected.length));
    // The order is certain only where one report is held back for long.
    const statuses = receiver.received.map(({ params }) => String(params['MessageStatus']));
    expect(statuses.toSorted((x, y) => x.localeCompare(y))).toEqual(expected);
  });
});

describe('retries', () => {
  it.each([
    { fragment: '#rc=5&rp=all', answers: [500, 503, 404], attempts: 4 },
    { fragment: '#rc=2&rp=all', answers: [500, 500, 500, 500], attempts: 3 },
    { fragment: '#rc=5&rp=5xx', answers: [500, 404], attempts: 2 },
    { fragment: '#rc=5&rp=4xx,5xx', answers: [500, 404], attempts: 3 },
    { fragment: '', answers: [500], attempts: 1 },
    { fragment: '#rc=0&rp=all', answers: [500], attempts: 1 },
  ])('follow "$fragment" after $answers', async ({ fragment, answers, attempts }) => {
    const { control, receiver, journal } = await start([...answers]);
    await control('PUT', `accounts/${ACCOUNT_SID}`, { smsUrl: `${receiver.url}/in${fragment}` });
    const inbound = { account: ACCOUNT_SID, from: PERSON, to: SENDER, body: 'STOP' };
    await control('POST', 'inbound', inbound);
    await vi.waitFor(async () => {
      expect((await journal('inbound-webhook')).at(-1)).toMatchObject({ isDone: true });
    });
    expect(receiver.received).toHaveLength(attempts);
    expect(new Set(receiver.received.map(({ token }) => token)).size).toBe(1);
  });

  it('try a refused connection once more by default', async () => {
    const { control, journal } = await start();
    const smsUrl = `http://127.0.0.1:${await closedPort()}/in`;
    await control('PUT', `accounts/${ACCOUNT_SID}`, { smsUrl });
    const inbound = { account: ACCOUNT_SID, from: PERSON, to: SENDER, body: 'STOP' };
    await control('POST', 'inbound', inbound);
    await vi.waitFor(async () => expect(await journal('inbound-webhook')).toHaveLength(2));
    expect(await journal('inbound-webhook')).toMatchObject([
      { answer: null, detail: 'ECONNREFUSED', isDone: false },
      { answer: null, detail: 'ECONNREFUSED', isDone: true },
    ]);
  });

  it('end at the fallback URL', async () => {
    const { control, receiver } = await start([500, 500]);
    await control('PUT', `accounts/${ACCOUNT_SID}`, {
      numbers: [
        {
          phoneNumber: SENDER,
          smsUrl: `${receiver.url}/in#rc=1&rp=all`,
          smsFallbackUrl: `${receiver.url}/fallback`,
        },
      ],
    });
    const inbound = { account: ACCOUNT_SID, from: PERSON, to: SENDER, body: 'Hi' };
    await control('POST', 'inbound', inbound);
    await vi.waitFor(() => expect(receiver.received).toHaveLength(3));
    expect(receiver.received.map(({ path }) => path)).toEqual(['/in', '/in', '/fallback']);
    const { params = {}, signature = '' } = receiver.received[2] ?? {};
    expect(params['ErrorUrl']).toBe(`${receiver.url}/in`);
    const url = `${receiver.url}/fallback`;
    expect(twilio.validateRequest(AUTH_TOKEN, signature, url, params)).toBe(true);
  });

  it('read their fragment within the limits of Twilio', () => {
    expect(parseTarget('https://a.example/x?y=1#rc=9&tt=50&rt=200')).toEqual({
      url: 'https://a.example/x?y=1',
      retries: 1,
      policies: new Set(['ct']),
      totalMs: 15_000,
      readMs: 200,
    });
  });
});

describe('texts from people', () => {
  it('arrive signed with blank fields, and stand in the list', async () => {
    const { client, control, receiver } = await start();
    await control('PUT', `accounts/${ACCOUNT_SID}`, { smsUrl: `${receiver.url}/in#rc=5&rp=all` });
    const body = "Ja & nö + 'ok' 👍";
    const mediaUrls = ['https://media.example/1'];
    const inbound = { account: ACCOUNT_SID, from: PERSON, to: SENDER, body, mediaUrls };
    await control('POST', 'inbound', inbound);
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1));
    const { signature = '', params = {} } = receiver.received[0] ?? {};
    expect(params).toMatchObject({
      Body: body,
      NumMedia: '1',
      FromCity: '',
      SmsStatus: 'received',
    });
    const url = `${receiver.url}/in`;
    expect(twilio.validateRequest(AUTH_TOKEN, signature, url, params)).toBe(true);
    const [listed] = await client.messages.list({ to: SENDER });
    expect(listed).toMatchObject({ direction: 'inbound', status: 'received', body });
  });

  it.each([
    ['a list-only text', { deliver: 'list-only' }, []],
    ['a dropped webhook', {}, [{ fault: 'drop-inbound' }]],
  ])('stay out of the webhook but not of the list: %s', async (_what, extra, faults) => {
    const { client, control, receiver } = await start();
    await control('PUT', `accounts/${ACCOUNT_SID}`, { smsUrl: receiver.url });
    await control('POST', 'faults', faults);
    const inbound = { account: ACCOUNT_SID, from: PERSON, to: SENDER };
    await control('POST', 'inbound', { ...inbound, body: 'lost', ...extra });
    await control('POST', 'inbound', { ...inbound, body: 'heard' });
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1));
    expect(receiver.received[0]?.params['Body']).toBe('heard');
    expect(await client.messages.list({ to: SENDER })).toHaveLength(2);
  });

  it('block and unblock the sender where the provider handles keywords', async () => {
    const { client, control, receiver } = await start();
    await control('PUT', `accounts/${ACCOUNT_SID}`, {
      smsUrl: receiver.url,
      defaultKeywords: true,
    });
    const inbound = { account: ACCOUNT_SID, from: PERSON, to: SENDER };
    await control('POST', 'inbound', { ...inbound, body: ' stop ' });
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1));
    expect(receiver.received[0]?.params['OptOutType']).toBe('STOP');
    const create = () => client.messages.create({ to: PERSON, from: SENDER, body: 'Hi' });
    await expect(create()).rejects.toMatchObject({ code: 21610 });
    const [reply] = await client.messages.list({ to: PERSON });
    expect(reply).toMatchObject({ direction: 'outbound-reply', from: SENDER });
    await control('POST', 'inbound', { ...inbound, body: 'UNSTOP' });
    await expect(create()).resolves.toMatchObject({ status: 'queued' });
  });

  it('leave keywords to the engine by default', async () => {
    const { client, control, receiver } = await start();
    await control('PUT', `accounts/${ACCOUNT_SID}`, { smsUrl: receiver.url });
    const inbound = { account: ACCOUNT_SID, from: PERSON, to: SENDER, body: 'STOP' };
    await control('POST', 'inbound', inbound);
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1));
    expect(receiver.received[0]?.params).not.toHaveProperty('OptOutType');
    const confirmation = { to: PERSON, from: SENDER, body: 'You will get no more texts.' };
    await expect(client.messages.create(confirmation)).resolves.toMatchObject({ status: 'queued' });
    await control('PUT', `accounts/${ACCOUNT_SID}`, { blockOptedOut: true });
    await expect(client.messages.create(confirmation)).rejects.toMatchObject({ code: 21610 });
  });
});

it('signs the sorted parameters as the SDK expects', () => {
  const params = [
    ['b', '2'],
    ['B', ''],
    ['a', 'ü'],
  ] as const;
  const url = 'https://a.example/x?y=%20';
  const expected = twilio.getExpectedTwilioSignature(AUTH_TOKEN, url, Object.fromEntries(params));
  expect(signWebhook(AUTH_TOKEN, url, params)).toBe(expected);
});
