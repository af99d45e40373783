/** The bare loop: texts created with our adapter and the real SDK as fast as the simulator answers, and nothing else. */
import { z } from 'zod';
import { createTwilioProvider } from '../../providers/twilio.ts';

const settings = z
  .object({
    baseUrl: z.string(),
    accountSid: z.string(),
    authToken: z.string(),
    callbackOrigin: z.string(),
    sockets: z.number(),
    seconds: z.number(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'));

const { accountSid, authToken, baseUrl, callbackOrigin, sockets } = settings;
const provider = createTwilioProvider({ maxConcurrentSends: sockets });
const account = { id: 'raw', accountSid, authTokens: [authToken], baseUrl } as const;
const until = performance.now() + settings.seconds * 1_000;
let next = 0;

async function sender(): Promise<void> {
  while (performance.now() < until) {
    const n = next++;
    const outcome = await provider.send(
      account,
      {
        to: `+1907${String(2_000_000 + n)}`,
        from: '+12025550100',
        body: 'Hi Ada, can we count on your vote on Tuesday? Reply STOP to opt out.',
        mediaUrls: [],
        statusCallbackUrl: `${callbackOrigin}/raw/${n}`,
        validityPeriodS: 14_400,
      },
      { deadlineMs: 10_000, mayStart: () => true },
    );
    if (outcome.kind !== 'accepted') throw new Error(`the simulator answered: ${outcome.kind}`);
  }
}

await Promise.all(Array.from({ length: sockets }, sender));
await provider.close();
process.disconnect?.();
