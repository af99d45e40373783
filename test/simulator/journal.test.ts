import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  createCleanup,
  PERSON,
  sdkClient,
  SENDER,
  startReceiver,
  startSimulator,
} from './support.ts';

const cleanup = createCleanup();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'simulator-'));
});
afterEach(async () => {
  await cleanup.run();
  rmSync(folder, { recursive: true });
});

describe('journal', () => {
  it('numbers every request, report and answer', async () => {
    const journalFile = join(folder, 'journal.ndjson');
    const receiver = cleanup.add(await startReceiver());
    const simulator = await startSimulator({ journalFile });
    const before = Date.now();
    const text = { to: PERSON, from: SENDER, body: 'Hi', statusCallback: receiver.url };
    const { sid } = await simulator.client.messages.create(text);
    await vi.waitFor(async () => {
      expect((await simulator.journal('callback')).length).toBe(2);
    });
    const create = (await simulator.journal('create'))[0];
    expect(create).toMatchObject({ sid, to: PERSON, from: SENDER, body: 'Hi', answer: 201 });
    expect(Date.parse(String(create?.['receivedAt']))).toBeGreaterThanOrEqual(before);
    await simulator.close();
    const lines = readFileSync(journalFile, 'utf8').trim().split('\n');
    const numbers = lines.map((line) => (JSON.parse(line) as { n: number }).n);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  it('reads on after a number', async () => {
    const { client, control } = cleanup.add(await startSimulator());
    for (const body of ['1', '2', '3']) {
      await client.messages.create({ to: PERSON, from: SENDER, body });
    }
    const { entries } = (await control('GET', 'journal?after=2&limit=1')) as { entries: object[] };
    expect(entries).toMatchObject([{ n: 3 }]);
  });

  it('rebuilds texts, opt-outs and accounts after a restart, with a torn last line', async () => {
    const journalFile = join(folder, 'journal.ndjson');
    const first = await startSimulator({ journalFile });
    const settled = { smsUrl: null, blockOptedOut: true };
    await first.control('PUT', `accounts/${ACCOUNT_SID}`, settled);
    const { sid } = await first.client.messages.create({ to: PERSON, from: SENDER, body: 'Hi' });
    const inbound = { account: ACCOUNT_SID, from: PERSON, to: SENDER, body: 'STOP' };
    await first.control('POST', 'inbound', inbound);
    await vi.waitFor(async () => {
      expect((await first.client.messages(sid).fetch()).status).toBe('delivered');
    });
    const listed = await first.client.messages.list();
    await first.close();
    appendFileSync(journalFile, '{"n":99,"at":"2026-');

    const second = cleanup.add(await startSimulator({ journalFile }));
    const again = await second.client.messages.list();
    expect(again.map((text) => text.sid)).toEqual(listed.map((text) => text.sid));
    expect((await second.client.messages(sid).fetch()).status).toBe('delivered');
    const create = second.client.messages.create({ to: PERSON, from: SENDER, body: 'Hi' });
    await expect(create).rejects.toMatchObject({ code: 21610 });
    await second.close();
    const third = cleanup.add(await startSimulator({ journalFile }));
    expect(await third.client.messages.list()).toHaveLength(2);
  });

  it('goes on with statuses, reports and answers that were due', async () => {
    const journalFile = join(folder, 'journal.ndjson');
    const receiver = cleanup.add(await startReceiver());
    const accounts = [
      { accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN, smsUrl: `${receiver.url}/in` },
    ];
    const slow = { deliveredDelayMs: [5e5, 5e5] satisfies [number, number], replyShare: 1 };
    const first = await startSimulator({ journalFile, accounts, settings: slow });
    const phones = Array.from({ length: 10 }, (_, index) => `+1202555010${index}`);
    const statusCallback = `${receiver.url}/status`;
    for (const to of phones) {
      await first.client.messages.create({ to, from: SENDER, body: 'Yes?', statusCallback });
    }
    await vi.waitFor(() => expect(receiver.received).toHaveLength(10));
    await first.close();

    cleanup.add(await startSimulator({ journalFile, accounts, settings: { replyShare: 1 } }));
    const count = (path: string) => receiver.received.filter((hook) => hook.path === path).length;
    await vi.waitFor(() => expect(count('/status')).toBe(20));
    await vi.waitFor(() => expect(count('/in')).toBeGreaterThan(7));
  });
});

describe('process', () => {
  it('says in one line where it listens, and loses nothing when it is told to stop', async () => {
    const env = {
      ...process.env,
      SIMULATOR_JOURNAL: join(folder, 'journal.ndjson'),
      SIMULATOR_ACCOUNTS: JSON.stringify([{ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN }]),
      SIMULATOR_DELIVERED_DELAY_MS: '100-200',
    };
    const child = spawn(process.execPath, ['--import', 'tsx', 'simulator/main.ts'], { env });
    const [line] = await new Promise<string[]>((resolve) => {
      createInterface({ input: child.stdout }).once('line', (text) => resolve([text]));
    });
    const { url } = JSON.parse(line ?? '') as { url: string };
    const client = sdkClient(url);
    const texts = ['1', '2', '3'].map((body) =>
      client.messages.create({ to: PERSON, from: SENDER, body }),
    );
    const sids = (await Promise.all(texts)).map(({ sid }) => sid);
    child.kill('SIGTERM');
    const exitCode = await new Promise((resolve) => child.once('exit', resolve));
    expect(exitCode).toBe(0);
    const journal = readFileSync(env.SIMULATOR_JOURNAL, 'utf8');
    for (const sid of sids) expect(journal).toContain(sid);
  }, 20_000);
});
