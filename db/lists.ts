import type { TenantDatabase } from './client.ts';
import { newId } from './ids.ts';
import { pageBy, pageParameters, toPage, type Page, type PageRequest } from './page.ts';

export interface ContactListView {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
}

export interface ContactView {
  readonly id: string;
  readonly phone: string | null;
  readonly externalId: string | null;
  readonly firstName: string;
  readonly lastName: string;
  readonly postcode: string | null;
  readonly country: string | null;
  readonly fields: Record<string, string>;
  readonly zones: string[];
  readonly places: string[];
  readonly state: 'active' | 'invalid_number' | 'landline' | 'erased';
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const VIEW = `l.id, l.name, l.created_at as "createdAt"`;
const CONTACT_VIEW = `k.id, k.e164 as phone, k.external_id as "externalId", k.first_name as "firstName", k.last_name as "lastName",
  k.postcode, k.country::text as country, k.fields, z.zones, z.places, k.state::text as state, k.created_at as "createdAt", k.updated_at as "updatedAt"`;

export async function insertContactList(
  tenant: TenantDatabase,
  list: { readonly name: string; readonly actor: string },
): Promise<ContactListView> {
  const [row] = await tenant.query<ContactListView>(
    `with l as (insert into contact_list (id, org_id, name) values ($1::uuid, current_org(), $2) returning *),
     audited as (
       insert into audit_log (id, org_id, actor, action, object_kind, object_id, detail)
       select $3::uuid, org_id, $4, 'contact_list.create', 'contact_list', id, jsonb_build_object('name', name) from l)
     select ${VIEW} from l`,
    newId(),
    list.name,
    newId(),
    list.actor,
  );
  if (row === undefined) throw new Error('could not insert a contact list');
  return row;
}

export async function listContactLists(
  tenant: TenantDatabase,
  page: PageRequest,
): Promise<Page<ContactListView>> {
  const rows = await tenant.query<ContactListView>(
    `select ${VIEW} from contact_list l where ${pageBy('l')}`,
    ...pageParameters(page),
  );
  return toPage(rows, page.limit);
}

/** A list with how many people are on it: those whom its imports put there. */
export async function findContactList(
  tenant: TenantDatabase,
  listId: string,
): Promise<(ContactListView & { readonly size: number }) | null> {
  const [row] = await tenant.query<ContactListView & { readonly size: number }>(
    `select ${VIEW}, (select coalesce(sum(i.accepted_rows), 0)::int from import i where i.list_id = l.id) as size
       from contact_list l where l.id = $1::uuid`,
    listId,
  );
  return row ?? null;
}

/** Whether the org has this list. */
export async function hasContactList(tenant: TenantDatabase, listId: string): Promise<boolean> {
  const rows = await tenant.query('select 1 as one from contact_list where id = $1::uuid', listId);
  return rows.length > 0;
}

/** The org's people, or those of one list. */
export async function listContacts(
  tenant: TenantDatabase,
  page: PageRequest,
  listId: string | null,
): Promise<Page<ContactView>> {
  const onList =
    listId === null
      ? ''
      : 'join contact_list_member m on m.contact_id = k.id and m.list_id = $4::uuid';
  const rows = await tenant.query<ContactView>(
    `select ${CONTACT_VIEW} from contact k join zone_set z on z.id = k.zone_set_id ${onList} where ${pageBy('k')}`,
    ...pageParameters(page),
    ...(listId === null ? [] : [listId]),
  );
  return toPage(rows, page.limit);
}

export async function findContact(
  tenant: TenantDatabase,
  contactId: string,
): Promise<ContactView | null> {
  const [row] = await tenant.query<ContactView>(
    `select ${CONTACT_VIEW} from contact k join zone_set z on z.id = k.zone_set_id where k.id = $1::uuid`,
    contactId,
  );
  return row ?? null;
}
