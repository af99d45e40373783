import { z } from '@hono/zod-openapi';
import { id, text, time } from './common.ts';

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

const authToken = z
  .string()
  .regex(/^[\x21-\x7e]{8,200}$/, 'must be 8 to 200 printable characters')
  .describe('Encrypted at rest and never shown again.');
const secondaryAuthToken = authToken
  .optional()
  .describe('A second token whose webhook signatures are accepted too, while tokens rotate.');

export const CreateProviderAccountSchema = z
  .object({
    provider: z.enum(['twilio']).describe('Whose account it is.'),
    name: text(200, 'What to call it.'),
    accountSid: z
      .string()
      .regex(/^AC[0-9a-fA-F]{32}$/, 'must be AC and 32 hex digits')
      .describe('The provider’s id of the account.'),
    authToken,
    secondaryAuthToken,
    baseUrl: z
      .url({ protocol: /^https?$/ })
      .max(500)
      .refine(isSafeBaseUrl, 'must be https, or http on loopback')
      .optional()
      .describe('Another server that speaks the provider’s API. https, or http on loopback.'),
  })
  .openapi('CreateProviderAccount');

export const SetTokensSchema = z
  .object({ authToken, secondaryAuthToken })
  .openapi('SetProviderTokens');

export const ProviderAccountSchema = z
  .object({
    id: id('The account; stands in the webhook paths.'),
    provider: z.enum(['twilio']).describe('Whose account it is.'),
    name: z.string().describe('What it is called.'),
    accountSid: z.string().describe('The provider’s id of the account.'),
    baseUrl: z.string().nullable().describe('Where its API is; null: the provider’s own.'),
    state: z.enum(['active', 'stopped']).describe('A stopped account sends nothing.'),
    stateReason: z.string().nullable().describe('Why it was stopped.'),
    createdAt: time('When it was added.'),
    webhooks: z.object({
      inboundUrl: z.string().describe('Set this at the provider as where inbound texts are sent.'),
    }),
  })
  .openapi('ProviderAccount');

function isSafeBaseUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return url.protocol === 'https:' || LOOPBACK.includes(url.hostname);
}
