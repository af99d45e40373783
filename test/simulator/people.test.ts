import { afterEach, describe, expect, it, vi } from 'vitest';
import { createPeople } from '../../simulator/people.ts';
import { settingsSchema } from '../../simulator/settings.ts';
import { ACCOUNT_SID, createCleanup, SENDER, startReceiver, startSimulator } from './support.ts';

const cleanup = createCleanup();
afterEach(() => cleanup.run());

const phones = Array.from({ length: 4_000 }, (_, index) => `+1202${5_000_000 + index}`);
const settings = settingsSchema.parse({});

function answersOf(seed: number): (string | undefined)[] {
  const people = createPeople(seed, () => settings);
  return phones.map((phone) => people.receive(phone, 'Will you vote?')?.body);
}

describe('people', () => {
  it('give the same answers for the same seed and others for another', () => {
    expect(answersOf(7)).toEqual(answersOf(7));
    expect(answersOf(7)).not.toEqual(answersOf(8));
  });

  it('answer in about the share that was set', () => {
    const answered = answersOf(1).filter((body) => body !== undefined).length;
    expect(answered / phones.length).toBeGreaterThan(0.1);
    expect(answered / phones.length).toBeLessThan(0.14);
  });

  it('answer only questions', () => {
    const people = createPeople(1, () => settings);
    expect(phones.some((phone) => people.receive(phone, 'Thanks.') !== null)).toBe(false);
  });

  it('are silent after they said stop', () => {
    const people = createPeople(1, () => ({ ...settings, replyShare: 1 }));
    const stopWords = /^(?:stop|unsubscribe|please remove)/i;
    const histories = phones.map((phone) =>
      Array.from({ length: 6 }, () => people.receive(phone, 'And now?')?.body ?? null),
    );
    const afterStop = histories.flatMap((history) => {
      const stop = history.findIndex((body) => body !== null && stopWords.test(body));
      return stop === -1 ? [] : history.slice(stop + 1);
    });
    expect(afterStop.length).toBeGreaterThan(1_000);
    expect(afterStop.filter((body) => body !== null)).toEqual([]);
  });

  it('text back to the number that asked', async () => {
    const receiver = cleanup.add(await startReceiver());
    const { client, control } = cleanup.add(await startSimulator({ settings: { replyShare: 1 } }));
    await control('PUT', `accounts/${ACCOUNT_SID}`, { smsUrl: receiver.url });
    const asked = phones.slice(0, 20);
    for (const to of asked) await client.messages.create({ to, from: SENDER, body: 'Coming?' });
    const expected = createPeople(1, () => ({ ...settings, replyShare: 1 }));
    const answers = asked.flatMap((phone) => {
      const reply = expected.receive(phone, 'Coming?');
      return reply === null ? [] : [`${phone} ${reply.body}`];
    });
    await vi.waitFor(() => expect(receiver.received).toHaveLength(answers.length));
    const heard = receiver.received.map(({ params }) => `${params['From']} ${params['Body']}`);
    expect(new Set(heard)).toEqual(new Set(answers));
    expect(receiver.received[0]?.params['To']).toBe(SENDER);
  });
});
