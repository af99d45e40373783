import { z } from '@hono/zod-openapi';
import { isSupportedCountry } from 'libphonenumber-js/max';
import { PageQuery } from '../paging.ts';
import { count, counts, id, isStorable, text, time } from './common.ts';

export const CreateContactListSchema = z
  .object({ name: text(200, 'What the list is called.') })
  .openapi('CreateContactList');

export const ContactListSchema = z
  .object({
    id: id('The list.'),
    name: z.string().describe('Its name.'),
    createdAt: time('When it was made.'),
  })
  .openapi('ContactList');

export const ContactListDetailSchema = ContactListSchema.extend({
  size: count('People on the list.'),
}).openapi('ContactListDetail');

export const ContactSchema = z
  .object({
    id: id('The person; one per number in an org.'),
    phone: z.string().nullable().describe('E.164; null once erased.'),
    externalId: z.string().nullable().describe('The id that a file gave.'),
    firstName: z.string().describe('May be empty.'),
    lastName: z.string().describe('May be empty.'),
    postcode: z.string().nullable().describe('As the file wrote it.'),
    country: z.string().nullable().describe('ISO 3166, two letters, by the number.'),
    fields: z.record(z.string(), z.string()).describe('Extra merge fields, by snake_case name.'),
    zones: z
      .array(z.string())
      .describe('IANA zones that the person may be in; texting hours hold in each.'),
    places: z
      .array(z.string())
      .describe(
        'Places whose laws may count: US- and a state, US-* where no state is known, or a country (ISO 3166).',
      ),
    state: z
      .enum(['active', 'invalid_number', 'landline', 'erased'])
      .describe('Only an active person is texted.'),
    createdAt: time('When the person was first imported.'),
    updatedAt: time('When a file last said something new.'),
  })
  .openapi('Contact');

export const ContactsQuery = PageQuery.extend({
  listId: z.uuid().optional().describe('Only the people of this list.'),
});

export const UploadQuery = z.object({
  fileName: z
    .string()
    .min(1)
    .max(255)
    .refine(isStorable, 'must be well-formed text without NUL')
    .default('contacts.csv')
    .describe('What the file is called, 1 to 255 characters. Default contacts.csv.'),
  defaultCountry: z
    .string()
    .toUpperCase()
    .refine(isSupportedCountry, 'must be an ISO 3166 country code, such as US')
    .default('US')
    .describe('The country that numbers without + are read in. ISO 3166, two letters. Default US.'),
});

export const ImportSchema = z
  .object({
    id: id('The import.'),
    listId: id('The list it fills.'),
    fileName: z.string().describe('What the file is called.'),
    state: z
      .enum(['queued', 'running', 'finished', 'failed', 'cancelled'])
      .describe('Rows that were decided stay decided, whatever the end.'),
    problem: z
      .object({
        message: z.string().describe('Why the file cannot be read, in words.'),
        row: z.int().nullable().describe('Where, from 1 after the header; null: the whole file.'),
      })
      .nullable()
      .describe('Set when the import failed.'),
    rows: z.object({
      decided: count('Rows with a verdict.'),
      accepted: count('Rows that put a person on the list.'),
      rejected: count('Rows that put nobody on the list.'),
    }),
    bytes: z.object({
      done: z.string().describe('Bytes read; a whole number as text.'),
      total: z.string().describe('Bytes of the file; a whole number as text.'),
    }),
    rejectsByReason: counts('Rejected rows by reason.'),
    createdAt: time('When the file came.'),
    startedAt: time('When its first row was read.').nullable(),
    finishedAt: time('When it ended.').nullable(),
  })
  .openapi('Import');

export const RejectSchema = z
  .object({
    row: z.int().describe('The row of the file, from 1 after the header.'),
    reason: z.string().describe('Why nobody was added, for programs.'),
    detail: z.string().describe('Why, in words.'),
    duplicateOf: z.int().nullable().describe('The row that already added this number.'),
  })
  .openapi('Reject');
