import { afterEach, describe, expect, it, vi } from 'vitest';
import { countSegments } from '../../simulator/segments.ts';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  createCleanup,
  PERSON,
  sdkClient,
  SENDER,
  startSimulator,
} from './support.ts';

const cleanup = createCleanup();
afterEach(() => cleanup.run());

describe('messages through the real SDK', () => {
  it('creates a text with all of the fields of Twilio', async () => {
    const { client } = cleanup.add(await startSimulator());
    const text = await client.messages.create({ to: PERSON, from: SENDER, body: 'Hi' });
    expect(text).toMatchObject({
      accountSid: ACCOUNT_SID,
      sid: expect.stringMatching(/^SM[0-9a-f]{32}$/),
      status: 'queued',
      direction: 'outbound-api',
      numSegments: '1',
      numMedia: '0',
      dateSent: null,
      errorCode: null,
      uri: `/2010-04-01/Accounts/${ACCOUNT_SID}/Messages/${text.sid}.json`,
    });
    expect(Math.abs(text.dateCreated.getTime() - Date.now())).toBeLessThan(5_000);
  });

  it('fetches, redacts and deletes a text', async () => {
    const { client } = cleanup.add(await startSimulator());
    const { sid } = await client.messages.create({ to: PERSON, from: SENDER, body: 'Hi' });
    await vi.waitFor(async () => {
      expect((await client.messages(sid).fetch()).status).toBe('delivered');
    });
    expect((await client.messages(sid).update({ body: '' })).body).toBe('');
    expect(await client.messages(sid).remove()).toBe(true);
    await expect(client.messages(sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  });

  it('cancels only what is scheduled', async () => {
    const { client, control } = cleanup.add(await startSimulator());
    await control('PUT', `accounts/${ACCOUNT_SID}`, { numbers: [{ phoneNumber: SENDER }] });
    const scheduled = await client.messages.create({
      to: PERSON,
      messagingServiceSid: `MG${'1'.repeat(32)}`,
      body: 'Later',
      scheduleType: 'fixed',
      sendAt: new Date(Date.now() + 3_600_000),
    });
    expect(scheduled.status).toBe('scheduled');
    const canceled = await client.messages(scheduled.sid).update({ status: 'canceled' });
    expect(canceled.status).toBe('canceled');
    const sent = await client.messages.create({ to: PERSON, from: SENDER, body: 'Now' });
    await expect(client.messages(sent.sid).update({ status: 'canceled' })).rejects.toMatchObject({
      code: 30409,
    });
  });

  it('lists newest first in pages that stay put while texts arrive', async () => {
    const { client } = cleanup.add(await startSimulator());
    const create = (body: string) => client.messages.create({ to: PERSON, from: SENDER, body });
    for (const body of ['1', '2', '3', '4', '5']) await create(body);
    await client.messages.create({ to: '+12025550199', from: SENDER, body: 'other' });
    const first = await client.messages.page({ to: PERSON, pageSize: 2 });
    await create('6');
    const second = await first.nextPage();
    const third = await second?.nextPage();
    const bodies = [first, second, third].map((page) => page?.instances.map(({ body }) => body));
    expect(bodies).toEqual([['5', '4'], ['3', '2'], ['1']]);
    expect(third?.nextPageUrl).toBeUndefined();
  });

  it('keeps young texts out of lists while the list lags', async () => {
    const { client, control } = cleanup.add(await startSimulator({ settings: { listLagMs: 1e6 } }));
    await client.messages.create({ to: PERSON, from: SENDER, body: 'Hi' });
    expect(await client.messages.list({ to: PERSON })).toHaveLength(0);
    await control('PUT', 'settings', { listLagMs: 0 });
    expect(await client.messages.list({ to: PERSON })).toHaveLength(1);
  });
});

describe('refusals', () => {
  const long = 'x'.repeat(1_601);
  it.each([
    ['a wrong recipient', { to: 'nobody' }, 21211],
    ['a wrong sender', { from: '12+3' }, 21212],
    ['an empty text', { body: '' }, 21602],
    ['a text that is too long', { body: long }, 21617],
    ['a callback URL with an underscore', { statusCallback: 'https://a_b.example/x' }, 21609],
    ['a callback URL that is none', { statusCallback: 'nowhere' }, 21609],
    ['a validity of no time', { validityPeriod: 36_001 }, 20001],
    ['magic sender 0001', { from: '+15005550001' }, 21212],
    ['magic sender 0007', { from: '+15005550007' }, 21606],
    ['magic sender 0008', { from: '+15005550008' }, 21611],
    ['magic recipient 0001', { to: '+15005550001' }, 21211],
    ['magic recipient 0002', { to: '+15005550002' }, 21612],
    ['magic recipient 0003', { to: '+15005550003' }, 21408],
    ['magic recipient 0004', { to: '+15005550004' }, 21610],
    ['magic recipient 0009', { to: '+15005550009' }, 21614],
  ])('answers %s with its error number', async (_what, params, code) => {
    const { client, control } = cleanup.add(await startSimulator());
    const request = { to: PERSON, from: SENDER, body: 'Hi', ...params };
    await expect(client.messages.create(request)).rejects.toMatchObject({ status: 400, code });
    expect(await control('GET', 'state')).toMatchObject({ texts: 0 });
  });

  it('refuses a wrong token, and another account under a right one', async () => {
    const { url, client } = cleanup.add(await startSimulator());
    const request = { to: PERSON, from: SENDER, body: 'Hi' };
    await expect(sdkClient(url, 'wrong').messages.create(request)).rejects.toMatchObject({
      status: 401,
      code: 20003,
    });
    const other = client.api.v2010.accounts(`AC${'b'.repeat(32)}`);
    await expect(other.messages.create(request)).rejects.toMatchObject({ status: 404 });
  });

  it('throttles an account beyond its rate and says when to come back', async () => {
    const { url, control } = cleanup.add(await startSimulator());
    await control('PUT', `accounts/${ACCOUNT_SID}`, { requestsPerSecond: 1 });
    const post = () =>
      fetch(`${url}/2010-04-01/Accounts/${ACCOUNT_SID}/Messages.json`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${ACCOUNT_SID}:${AUTH_TOKEN}`)}` },
        body: new URLSearchParams({ To: PERSON, From: SENDER, Body: 'Hi' }),
      });
    expect((await post()).status).toBe(201);
    const throttled = await post();
    expect(throttled.status).toBe(429);
    expect(throttled.headers.get('retry-after')).toBe('1');
    expect(await throttled.json()).toMatchObject({ code: 20429 });
  });

  it('refuses what no longer fits into the queue of a sender', async () => {
    const { client, control } = cleanup.add(await startSimulator());
    const limits = { segmentsPerSecond: 1, queueLimitSegments: 2 };
    await control('PUT', `accounts/${ACCOUNT_SID}`, limits);
    const create = () => client.messages.create({ to: PERSON, from: SENDER, body: 'Hi' });
    await create();
    await create();
    await expect(create()).rejects.toMatchObject({ code: 21611 });
  });

  it('drops a text that waits in its queue beyond its validity', async () => {
    const { client, control } = cleanup.add(await startSimulator());
    await control('PUT', `accounts/${ACCOUNT_SID}`, { segmentsPerSecond: 0.2 });
    const text = { to: PERSON, from: SENDER, body: 'Hi', validityPeriod: 1 };
    const { sid } = await client.messages.create(text);
    const expired = { status: 'failed', errorCode: 30036 };
    await vi.waitFor(
      async () => expect(await client.messages(sid).fetch()).toMatchObject(expired),
      { timeout: 4_000 },
    );
  });
});

describe('control endpoints', () => {
  it('refuse a request that names another host', async () => {
    const { port } = cleanup.add(await startSimulator());
    const { request } = await import('node:http');
    const status = await new Promise((resolve, reject) => {
      const headers = { host: 'attacker.example' };
      const options = { port, host: '127.0.0.1', path: '/simulator/state', headers };
      request(options, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });

  it('name what they cannot read', async () => {
    const { control } = cleanup.add(await startSimulator());
    await expect(control('POST', 'faults', [{ fault: 'earthquake' }])).rejects.toThrow('400');
    await expect(control('PUT', 'settings', { replyShare: 2 })).rejects.toThrow('400');
    await expect(control('PUT', 'settings', { replyShar: 1 })).rejects.toThrow('400');
  });

  it('forget everything on reset but keep the accounts', async () => {
    const { client, control } = cleanup.add(await startSimulator());
    await client.messages.create({ to: PERSON, from: SENDER, body: 'Hi' });
    await control('POST', 'reset');
    expect(await client.messages.list()).toHaveLength(0);
  });
});

describe('segments', () => {
  it.each([
    ['', 1],
    ['x'.repeat(160), 1],
    ['x'.repeat(161), 2],
    ['x'.repeat(306), 2],
    ['x'.repeat(307), 3],
    [`${'x'.repeat(159)}€`, 2],
    ['ü'.repeat(160), 1],
    ['ş'.repeat(70), 1],
    ['ş'.repeat(71), 2],
    ['👍'.repeat(35), 1],
    ['👍'.repeat(36), 2],
  ])('of %j are counted', (body, segments) => {
    expect(countSegments(body)).toBe(segments);
  });
});
