import { describe, expect, it } from 'vitest';
import type {
  InboundText,
  MessagingProvider,
  OutboundText,
  ProviderAccount,
  RemotePage,
  SendOptions,
  SendOutcome,
} from '../../providers/messaging-provider.ts';

/** A server at the provider's side, with knobs for what a contract test needs. */
export interface ContractServer {
  readonly provider: MessagingProvider;
  readonly account: ProviderAccount;
  /** Two addresses that accept texts, and one that has opted out. */
  readonly recipients: readonly [string, string];
  readonly optedOut: string;
  readonly sender: string;
  /** How many texts exist at the provider. */
  countTexts(): Promise<number>;
  /** Makes the next create fail in this way. */
  failNext(how: 'throttled' | 'answer-lost' | 'server-error'): Promise<void>;
  /** Lets a person text the sender. */
  receive(from: string, body: string): Promise<void>;
  close(): Promise<void>;
}

export const NOW: SendOptions = { deadlineMs: 2_000, mayStart: () => true };

/** Describes what every adapter must do, whatever its vendor. */
export function describeProviderContract(contract: {
  readonly name: string;
  readonly create: () => Promise<ContractServer>;
}): void {
  describe(`${contract.name} keeps the provider contract`, () => {
    async function run(check: (server: ContractServer) => Promise<void>): Promise<void> {
      const server = await contract.create();
      try {
        await check(server);
      } finally {
        await server.close();
      }
    }

    it('accepts a text and returns its id', () =>
      run(async (server) => {
        const outcome = await server.provider.send(server.account, aText(server), NOW);
        expect(outcome).toMatchObject({ kind: 'accepted', from: server.sender });
        expect(await server.countTexts()).toBe(1);
      }));

    it('writes nothing when it may not start', () =>
      run(async (server) => {
        let asked = 0;
        const mayStart = (): boolean => {
          asked += 1;
          return false;
        };
        const options = { ...NOW, mayStart };
        const outcome = await server.provider.send(server.account, aText(server), options);
        expect(outcome.kind).toBe('not-started');
        expect(asked).toBe(1);
        expect(await server.countTexts()).toBe(0);
      }));

    it('treats a failing right to start as none', () =>
      run(async (server) => {
        const mayStart = (): boolean => {
          throw new Error('no clock');
        };
        const options = { ...NOW, mayStart };
        const outcome = await server.provider.send(server.account, aText(server), options);
        expect(outcome.kind).toBe('not-started');
        expect(await server.countTexts()).toBe(0);
      }));

    it('still sends after a send that might not start', () =>
      run(async (server) => {
        const never = { ...NOW, mayStart: () => false };
        await server.provider.send(server.account, aText(server), never);
        const outcome = await server.provider.send(server.account, aText(server), NOW);
        expect(outcome.kind).toBe('accepted');
      }));

    it('names an opt-out that we missed', () =>
      run(async (server) => {
        const text = { ...aText(server), to: server.optedOut };
        const outcome = await server.provider.send(server.account, text, NOW);
        expect(outcome).toMatchObject({ kind: 'refused', rule: { contact: 'opted-out' } });
      }));

    it('stops the account when the provider does not know its token', () =>
      run(async (server) => {
        const account: ProviderAccount = { ...server.account, authTokens: ['wrong'] };
        const outcome = await server.provider.send(account, aText(server), NOW);
        expect(outcome).toMatchObject({ kind: 'refused', rule: { sender: 'stop-account' } });
      }));

    it('says when to come back after too many requests', () =>
      run(async (server) => {
        await server.failNext('throttled');
        const outcome = await server.provider.send(server.account, aText(server), NOW);
        expect(outcome).toMatchObject({
          kind: 'refused',
          retryAfterMs: expect.any(Number),
          rule: { message: 'retry-later', sender: 'slow-down' },
        });
        expect(await server.countTexts()).toBe(0);
      }));

    it.each(['answer-lost', 'server-error'] as const)('posts once and does not guess: %s', (how) =>
      run(async (server) => {
        await server.failNext(how);
        const outcome = await server.provider.send(server.account, aText(server), NOW);
        expect(outcome.kind).toBe('unknown');
        expect(await server.countTexts()).toBe(1);
      }),
    );

    it('lists the texts of one recipient, newest first, over all pages', () =>
      run(async (server) => {
        const { provider, account, recipients } = server;
        const sent: string[] = [];
        for (let index = 0; index < 60; index += 1) {
          sent.push(idOf(await provider.send(account, aText(server), NOW)));
        }
        await provider.send(account, { ...aText(server), to: recipients[1] }, NOW);
        const listed = await readAll((page) =>
          provider.listSent(account, { to: recipients[0], page }),
        );
        expect(listed.map(({ providerMessageId }) => providerMessageId)).toEqual(sent.toReversed());
        expect(listed[0]).toMatchObject({ to: recipients[0], from: server.sender, body: 'Hello' });
        expect(Math.abs(Number(listed[0]?.createdAt) - Date.now())).toBeLessThan(5_000);
      }));

    it('lists what people sent and nothing else, newest first', () =>
      run(async (server) => {
        const { provider, account, recipients } = server;
        await server.receive(recipients[0], 'first');
        await provider.send(account, aText(server), NOW);
        await server.receive(recipients[1], 'second');
        const listed = await readAll<InboundText>((page) =>
          provider.listInbound(account, { to: server.sender, page }),
        );
        expect(listed).toMatchObject([
          { from: recipients[1], to: server.sender, body: 'second' },
          { from: recipients[0], to: server.sender, body: 'first' },
        ]);
        expect(listed[0]?.receivedAt).toBeInstanceOf(Date);
      }));

    it('refuses webhooks without a signature, and bodies that mean nothing', () =>
      run(async (server) => {
        const { provider, account } = server;
        for (const rawBody of ['', '{}', 'a=b', '%', '\u0000', 'x'.repeat(10_000)]) {
          const request = { url: 'https://a.example/x', contentType: null, rawBody };
          expect(provider.verifyWebhook(account, { ...request, signature: null })).toBe(false);
          expect(provider.parseInbound(rawBody).ok).toBe(false);
          expect(provider.parseStatus(rawBody).ok).toBe(false);
        }
      }));

    it('answers not-started after it was closed', () =>
      run(async (server) => {
        const { provider, account } = server;
        await provider.send(account, aText(server), NOW);
        await provider.close();
        expect((await provider.send(account, aText(server), NOW)).kind).toBe('not-started');
        expect(await server.countTexts()).toBe(1);
      }));
  });
}

function aText(server: ContractServer): OutboundText {
  return {
    to: server.recipients[0],
    from: server.sender,
    body: 'Hello',
    mediaUrls: [],
    statusCallbackUrl: 'http://127.0.0.1:1/status',
    validityPeriodS: null,
  };
}

function idOf(outcome: SendOutcome): string {
  return outcome.kind === 'accepted' ? outcome.providerMessageId : outcome.kind;
}

async function readAll<T>(
  read: (page: string | null) => Promise<RemotePage<T>>,
): Promise<readonly T[]> {
  const items: T[] = [];
  let page: string | null = null;
  do {
    const answer: RemotePage<T> = await read(page);
    items.push(...answer.items);
    page = answer.nextPage;
  } while (page !== null);
  return items;
}
