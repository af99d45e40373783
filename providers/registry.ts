/** Every provider that this installation can use, by name. */
import type { MessagingProvider } from './messaging-provider.ts';
import { createTwilioProvider, type TwilioProviderOptions } from './twilio.ts';

/** Creates all providers; `get` throws for a name that is not among them. */
export function createProviders(options: { twilio: TwilioProviderOptions }) {
  const all: readonly MessagingProvider[] = [createTwilioProvider(options.twilio)];
  const byName = new Map(all.map((provider) => [provider.name, provider]));

  function get(name: string): MessagingProvider {
    const provider = byName.get(name);
    if (provider === undefined) throw new Error(`unknown messaging provider: ${name}`);
    return provider;
  }

  async function close(): Promise<void> {
    await Promise.all(all.map((provider) => provider.close()));
  }

  return { get, close };
}
