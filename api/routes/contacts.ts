import { createRoute } from '@hono/zod-openapi';
import {
  findContact,
  findContactList,
  hasContactList,
  insertContactList,
  listContactLists,
  listContacts,
} from '../../db/lists.ts';
import { actorOf, createRouter, tenantOf, type ApiDeps } from '../context.ts';
import { notFound, orNotFound, problems } from '../errors.ts';
import { IdempotencyHeaders } from '../idempotency.ts';
import { pageOf, PageQuery, readPage, writePage } from '../paging.ts';
import { body, IdParam, ok } from '../schemas/common.ts';
import {
  ContactListDetailSchema,
  ContactListSchema,
  ContactSchema,
  ContactsQuery,
  CreateContactListSchema,
} from '../schemas/contacts.ts';

const tags = ['Contacts'];

const createList = createRoute({
  method: 'post',
  path: '/v1/contact-lists',
  tags,
  summary: 'Makes a contact list',
  request: { headers: IdempotencyHeaders, body: body(CreateContactListSchema) },
  responses: {
    201: ok('The list.', ContactListSchema),
    ...problems('malformed-json', 'idempotency-key-reused', 'idempotency-in-flight'),
  },
});

const allLists = createRoute({
  method: 'get',
  path: '/v1/contact-lists',
  tags,
  summary: 'Lists contact lists',
  request: { query: PageQuery },
  responses: {
    200: ok('A page of lists.', pageOf(ContactListSchema)),
    ...problems('invalid-cursor'),
  },
});

const findList = createRoute({
  method: 'get',
  path: '/v1/contact-lists/{id}',
  tags,
  summary: 'Shows a contact list with its size',
  request: { params: IdParam },
  responses: { 200: ok('The list.', ContactListDetailSchema), ...problems('not-found') },
});

const contacts = createRoute({
  method: 'get',
  path: '/v1/contacts',
  tags,
  summary: 'Lists people',
  request: { query: ContactsQuery },
  responses: {
    200: ok('A page of people.', pageOf(ContactSchema)),
    ...problems('invalid-cursor', 'not-found'),
  },
});

const contact = createRoute({
  method: 'get',
  path: '/v1/contacts/{id}',
  tags,
  summary: 'Shows a person',
  request: { params: IdParam },
  responses: { 200: ok('The person.', ContactSchema), ...problems('not-found') },
});

export function createContactRoutes(deps: ApiDeps) {
  return createRouter()
    .openapi(createList, async (c) => {
      const { name } = c.req.valid('json');
      const row = await insertContactList(tenantOf(deps, c), { name, actor: actorOf(c) });
      return c.json(row, 201);
    })
    .openapi(allLists, async (c) => {
      const page = readPage(c.req.valid('query'));
      return c.json(writePage(await listContactLists(tenantOf(deps, c), page)), 200);
    })
    .openapi(findList, async (c) => {
      const row = await findContactList(tenantOf(deps, c), c.req.valid('param').id);
      return c.json(orNotFound(row, 'contact list'), 200);
    })
    .openapi(contacts, async (c) => {
      const tenant = tenantOf(deps, c);
      const { listId = null, ...page } = c.req.valid('query');
      if (listId !== null && !(await hasContactList(tenant, listId)))
        throw notFound('contact list');
      return c.json(writePage(await listContacts(tenant, readPage(page), listId)), 200);
    })
    .openapi(contact, async (c) => {
      const row = await findContact(tenantOf(deps, c), c.req.valid('param').id);
      return c.json(orNotFound(row, 'contact'), 200);
    });
}
