/** Rules between rows that the database itself does not enforce: links without foreign keys, and counters. */
import type { ClientBase } from 'pg';
import type { BrokenRows } from './facts.ts';

/** Each finds rows, by id, that point at nothing. */
const ORPHANS: Readonly<Record<string, string>> = {
  'message without its org': `select m.id from message m left join org o on o.id = m.org_id where o.id is null`,
  'message without its account': `select m.id from message m left join provider_account a on a.id = m.account_id and a.org_id = m.org_id where a.id is null`,
  'message without its campaign': `select m.id from message m left join campaign c on c.id = m.campaign_id and c.org_id = m.org_id where m.campaign_id is not null and c.id is null`,
  'message without its conversation': `
    select m.id from message m left join conversation c on c.id = m.conversation_id left join campaign_contact k on k.id = m.conversation_id
     where m.conversation_id is not null and c.id is null and k.id is null`,
  'message without its contact': `select m.id from message m left join contact k on k.id = m.contact_id where m.contact_id is not null and k.id is null`,
  'message without its pool': `select m.id from message m left join sender_pool p on p.id = m.pool_id where m.pool_id is not null and p.id is null`,
  'message without its sender': `select m.id from message m left join sender s on s.id = m.sender_id where m.sender_id is not null and s.id is null`,
  'message whose first try is gone': `select m.id from message m left join message f on f.id = m.retry_of where m.retry_of is not null and f.id is null`,
  'campaign contact without its zones': `select k.id from campaign_contact k left join zone_set z on z.id = k.zone_set_id where z.id is null`,
  'campaign contact of another org': `select k.id from campaign_contact k join campaign c on c.id = k.campaign_id where c.org_id <> k.org_id`,
  'conversation without its account': `select c.id from conversation c left join provider_account a on a.id = c.account_id where a.id is null`,
  'conversation without its campaign': `select c.id from conversation c left join campaign p on p.id = c.campaign_id where c.campaign_id is not null and p.id is null`,
  'conversation without its campaign contact': `select c.id from conversation c left join campaign_contact k on k.id = c.id where c.kind = 'campaign' and k.id is null`,
  'provider key without its message': `
    select k.message_id as id from provider_key k left join message m on m.id = k.message_id and m.account_id = k.account_id and m.provider_message_id = k.provider_message_id
     where m.id is null`,
  'accepted message without its provider key': `
    select m.id from message m left join provider_key k on k.account_id = m.account_id and k.provider_message_id = m.provider_message_id
     where m.direction = 'outbound' and m.state = 'accepted' and k.message_id is distinct from m.id`,
  'inbound key without its message': `
    select k.message_id as id from inbound_key k left join message m on m.id = k.message_id and m.account_id = k.account_id and m.provider_message_id = k.provider_message_id
     where m.id is null`,
  'route without its conversation': `
    select r.conversation_id as id from conversation_route r left join conversation c on c.id = r.conversation_id left join campaign_contact k on k.id = r.conversation_id
     where c.id is null and k.id is null`,
  'route without its account': `select r.conversation_id as id from conversation_route r left join provider_account a on a.id = r.account_id where a.id is null`,
  'event without its message': `select e.id from provider_event e left join message m on m.id = e.message_id where e.message_id is not null and m.id is null`,
  'answer without its text': `select a.id from answer_event a left join message m on m.id = a.inbound_id where m.id is null`,
  'current answer without its event': `
    select a.conversation_id as id from answer_current a
     where not exists (select 1 from answer_event e where e.conversation_id = a.conversation_id and e.step = a.step and e.answer = a.answer)`,
  'suppression without its evidence': `
    select s.id from suppression s left join message m on m.id = s.evidence_message_id where s.evidence_message_id is not null and m.id is null`,
  'a contact without its org or zones':
    'select k.id from contact k left join org o on o.id = k.org_id left join zone_set z on z.id = k.zone_set_id where o.id is null or z.id is null',
  'a person of a list without list, contact or import': `select m.contact_id as id from contact_list_member m left join contact_list l on l.id = m.list_id and l.org_id = m.org_id
       left join contact k on k.id = m.contact_id and k.org_id = m.org_id left join import i on i.id = m.import_id and i.org_id = m.org_id
      where l.id is null or k.id is null or i.id is null`,
  'a rejected row without its import':
    'select r.import_id as id from import_reject r left join import i on i.id = r.import_id and i.org_id = r.org_id where i.id is null',
  'a person of an audience without campaign or contact': `select a.id from campaign_contact a left join campaign c on c.id = a.campaign_id and c.org_id = a.org_id
       left join contact k on k.id = a.contact_id and k.org_id = a.org_id where c.id is null or k.id is null`,
};

export async function findOrphans(client: ClientBase): Promise<BrokenRows[]> {
  const found: BrokenRows[] = [];
  for (const [rule, sql] of Object.entries(ORPHANS)) found.push(await find(client, rule, sql));
  return found.filter((broken) => broken.rows > 0);
}

/** Events of one account that name a row of another. */
export async function findForeignEvents(client: ClientBase): Promise<BrokenRows> {
  return find(
    client,
    'an event attaches a text to the row of another account',
    `select e.id from provider_event e join message m on m.id = e.message_id where m.account_id <> e.account_id`,
  );
}

/** What the counters should say, from the rows themselves. */
const COUNTED = `
counted as (
  select campaign_id, 'state' as kind, state::text as value, count(*) as n from message
   where campaign_id is not null and direction = 'outbound' group by 1, 3
  union all
  select campaign_id, 'delivery', delivery::text, count(*) from message
   where campaign_id is not null and direction = 'outbound' and delivery <> 'none' group by 1, 3
  union all
  select campaign_id, 'skip', reason, count(*) from message
   where campaign_id is not null and direction = 'outbound' and state = 'skipped' group by 1, 3
  union all
  select campaign_id, 'answer', step || '=' || answer, count(*) from answer_event where campaign_id is not null group by 1, 3
  union all
  select campaign_id, 'reply', 'of all kinds', count(*) from message where campaign_id is not null and direction = 'inbound' group by 1),
said as (
  select campaign_id, kind, case when kind = 'reply' then 'of all kinds' else value end as value, sum(n) as n
    from (select campaign_id, kind, value, n from counter union all select campaign_id, kind, value, n from counter_delta) t
   where kind in ('state', 'delivery', 'skip', 'answer', 'reply') group by 1, 2, 3)`;

export async function findBrokenCounters(client: ClientBase): Promise<BrokenRows[]> {
  const result = await client.query<{ rule: string; rows: number; examples: string[] }>(`
    with ${COUNTED}
    select kind || ' ' || value as rule, count(*)::int as rows,
           (array_agg('campaign ' || campaign_id || ': says ' || coalesce(s.n, 0) || ', counted ' || coalesce(c.n, 0)))[1:10] as examples
      from said s full join counted c using (campaign_id, kind, value)
     where coalesce(s.n, 0) <> coalesce(c.n, 0) group by 1 order by 1`);
  return result.rows;
}

async function find(client: ClientBase, rule: string, sql: string): Promise<BrokenRows> {
  const result = await client.query<{ rows: number; examples: string[] | null }>(
    `select count(*)::int as rows, (array_agg(t.id::text))[1:10] as examples from (${sql}) t`,
  );
  const [row] = result.rows;
  return { rule, rows: row?.rows ?? 0, examples: row?.examples ?? [] };
}
