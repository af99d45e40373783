import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { launchEngine, untilServing, type EngineProcess } from '../support/engine-process.ts';
import { TEST_KEY } from '../support/ledger-rows.ts';
import { freePort } from '../support/ports.ts';

let ingest: EngineProcess;
let port = 0;
let drop = async (): Promise<void> => {};
beforeAll(async () => {
  const urls = await createTestDatabase();
  drop = urls.drop;
  port = await freePort();
  ingest = await launchEngine({
    command: 'ingest',
    env: {
      DATABASE_URL: urls.ownerUrl,
      TEMPORAL_ADDRESS: '127.0.0.1:9',
      INGEST_PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      KEY_ENCRYPTION_KEY: TEST_KEY,
      LOG_LEVEL: 'warn',
    },
  });
  await untilServing(ingest, 'ingest');
});
afterAll(async () => {
  ingest?.kill('SIGTERM');
  await ingest?.exited;
  await drop();
});

/** Writes this, then nothing more; resolves with what came back when the server closes the socket. */
function say(text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket: Socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (piece) => {
      answer += piece.toString();
    });
    socket.on('close', () => resolve(answer));
    // Who is refused while it still writes sees a reset behind the answer.
    socket.on('error', () => resolve(answer));
  });
}

const status = (answer: string): string => answer.slice(0, 12);

describe('a client that is slow or greedy', () => {
  test('and never ends its headers is cut off', async () => {
    expect(
      status(await say('POST /webhooks/twilio/x/inbound HTTP/1.1\r\nHost: x\r\nX-Slow: ')),
    ).toBe('HTTP/1.1 408');
  }, 30_000);

  test('and sends headers without end is refused', async () => {
    const headers = Array.from({ length: 3_000 }, (_, n) => `X-${n}: ${'a'.repeat(20)}`).join(
      '\r\n',
    );
    const answer = await say(`GET /healthz HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`);
    expect(status(answer)).toBe('HTTP/1.1 431');
  });

  test('and announces a huge body is refused before it sends one', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/webhooks/twilio/x/inbound`, {
      method: 'POST',
      body: 'a'.repeat(100_000),
    });
    expect(answer.status).toBe(413);
  });

  test('does not keep others from being served', async () => {
    const slow = Array.from({ length: 50 }, () => say('POST / HTTP/1.1\r\nHost: x\r\nX: '));
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect(answer.status).toBe(200);
    await Promise.all(slow);
  }, 30_000);
});
