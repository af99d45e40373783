import { z } from '@hono/zod-openapi';
import { SCOPES } from '../../db/api-keys.ts';
import { id, text, time } from './common.ts';

const scopes = z
  .array(z.enum(SCOPES))
  .describe('What the key may do: read; write, which includes read; admin, which includes both.');

export const MeSchema = z
  .object({
    org: z.object({ id: id('The org.'), name: z.string().describe('Its name.') }),
    key: z.object({ id: id('The key.'), name: z.string().describe('Its name.'), scopes }),
  })
  .openapi('Me');

export const KeySchema = z
  .object({
    id: id('The key.'),
    name: z.string().describe('What it is for.'),
    prefix: z.string().describe('Its first characters, to recognise it by.'),
    memberId: id('Whose key it is; null: the org’s own.').nullable(),
    scopes,
    createdAt: time('When it was made.'),
    expiresAt: time('From when it is refused; null: never.').nullable(),
    revokedAt: time('When it was revoked; null: it was not.').nullable(),
    lastUsedAt: time('When it was last used, to the minute; null: never.').nullable(),
  })
  .openapi('Key');

export const NewKeySchema = KeySchema.extend({
  key: z
    .string()
    .nullable()
    .describe('The key itself. It is shown this once; a replayed answer carries null.'),
}).openapi('NewKey');

export const CreateKeySchema = z
  .object({
    name: text(200, 'What the key is for.'),
    scopes: scopes.min(1).max(3),
    memberId: id('Whose key it is: it is suspended with them. Default: the org’s own.').optional(),
    expiresAt: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('From when it is refused. ISO 8601, in the future. Default: never.'),
  })
  .openapi('CreateKey');
