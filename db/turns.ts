import type { Database } from './client.ts';

/** A conversation with everything that a turn decides on. */
export interface TurnView {
  readonly id: string;
  readonly org_id: string;
  readonly org_name: string;
  readonly kind: 'campaign' | 'catch_all';
  readonly state: 'automatic' | 'needs_reply' | 'closed';
  readonly turn: number;
  readonly arrival_seq: number;
  readonly handled_seq: number;
  readonly needs_reply_reason: string | null;
  readonly step: string | null;
  readonly visits: number;
  readonly opened: boolean;
  readonly address: string;
  readonly account_id: string;
  readonly pool_id: string | null;
  readonly sender_id: string | null;
  readonly sender: string;
  readonly contact_id: string | null;
  readonly campaign_id: string | null;
  readonly campaign_state: string | null;
  readonly programme: string | null;
  readonly script_version_id: string | null;
  readonly graph: unknown;
  readonly merge: Record<string, unknown> | null;
  readonly created_at: Date;
  readonly reply_window_s: number | null;
  readonly replies_closed_at: Date | null;
  readonly waits_for_message_id: string | null;
  readonly waits_for_delivery: string | null;
  readonly last_out_at: Date | null;
  readonly first_id: string | null;
  /** The state of the text that asked the standing question. */
  readonly question_state: string | null;
  readonly inbound: readonly TurnInbound[];
  /** Texts of this conversation that its workflow still has to send. */
  readonly to_send: readonly string[];
  /** Texts that the pool or a provider still owes an outcome. */
  readonly unsettled: number;
}

export interface TurnInbound {
  readonly id: string;
  readonly body: string;
  readonly keyword: 'stop' | 'start' | 'help' | null;
  readonly arrival_seq: number;
}

const VIEW = `
select c.id, c.org_id, o.name as org_name, c.kind::text as kind, c.state::text as state, c.turn, c.arrival_seq, c.handled_seq, c.needs_reply_reason, c.step, c.visits, c.opened, c.address,
       c.account_id, p.pool_id, coalesce(c.sender_id, f.sender_id) as sender_id,
       case when c.sender <> '' then c.sender else coalesce(f.sender, '') end as sender, c.contact_id, c.campaign_id,
       p.state::text as campaign_state, p.programme, c.script_version_id, v.graph, k.merge, c.created_at,
       p.reply_window_s, p.replies_closed_at, c.waits_for_message_id,
       (select w.delivery::text from message w where w.id = c.waits_for_message_id) as waits_for_delivery,
       coalesce(f.last_out_at, c.last_out_at) as last_out_at, f.first_id,
       (select q.state::text from message q where q.conversation_id = c.id and q.direction = 'outbound' and q.step = c.step
         order by q.created_at desc, q.id desc limit 1) as question_state, coalesce(f.to_send, '{}') as to_send, coalesce(f.unsettled, 0) as unsettled,
       coalesce((select jsonb_agg(jsonb_build_object('id', i.id, 'body', i.body, 'keyword', i.provider_keyword, 'arrival_seq', i.arrival_seq) order by i.arrival_seq)
          from (select * from message i where i.conversation_id = c.id and i.direction = 'inbound' and i.arrival_seq > c.handled_seq
                 order by i.arrival_seq limit 50) i), '[]') as inbound
  from conversation c
  join org o on o.id = c.org_id
  left join campaign p on p.id = c.campaign_id
  left join script_version v on v.id = c.script_version_id
  left join campaign_contact k on k.id = c.id
  left join lateral (
    select max(m.accepted_at) as last_out_at,
           (array_agg(m.id order by m.id) filter (where m.purpose = 'campaign'))[1] as first_id,
           (array_agg(m.sender_id order by m.id desc) filter (where m.sender_id is not null))[1] as sender_id,
           (array_agg(m.sender order by m.id desc) filter (where m.sender is not null))[1] as sender,
           array_agg(m.id::text order by m.due_at, m.id) filter (where m.state = 'planned' and m.driver = 'conversation') as to_send,
           count(*) filter (where m.state in ('planned', 'sending'))::int as unsettled
      from message m where m.conversation_id = c.id and m.direction = 'outbound') f on true
 where c.id = $1::uuid`;

export async function findTurnView(
  database: Database,
  conversationId: string,
): Promise<TurnView | null> {
  const [row] = await database.query<TurnView>(VIEW, conversationId);
  return row ?? null;
}

/** What a turn writes; everything in it happened because of `handledSeq` and nothing later. */
export interface TurnWrite {
  readonly conversationId: string;
  /** The turn number that was read: a newer one makes this write nothing. */
  readonly turn: number;
  readonly state: 'automatic' | 'needs_reply' | 'closed';
  readonly needsReplyReason: string | null;
  readonly step: string | null;
  readonly visits: number;
  readonly handledSeq: number;
  readonly waitsForMessageId: string | null;
  readonly closesAt: Date | null;
  readonly answers: readonly TurnAnswer[];
  readonly tags: readonly string[];
  readonly texts: readonly TurnText[];
}

export interface TurnAnswer {
  readonly id: string;
  readonly step: string;
  readonly visit: number;
  readonly answer: string;
  readonly inboundId: string;
}

export interface TurnText {
  readonly id: string;
  readonly step: string;
  readonly body: string;
  readonly encoding: string;
  readonly segments: number;
  readonly priority: number;
  /** Milliseconds after which it is too late to be a reply. */
  readonly usefulMs: number;
}

/**
 * Writes a turn whole or not at all: the conversation row is the lock, its turn number the proof
 * that nobody else took this turn. Ids are derived from the inbound text, so a repeat meets the
 * same rows.
 */
const WRITE = `
with c as (
  update conversation c set state = $3::conversation_state, needs_reply_reason = $4, step = $5, visits = $6::int, handled_seq = $7::int,
         turn = c.turn + 1, waits_for_message_id = $8::uuid, closes_at = $9::timestamptz,
         closed_at = case when $3 = 'closed' then now() end, sender = v.sender, sender_id = v.sender_id, last_out_at = v.last_out_at
    from (select $17::text as sender, $18::uuid as sender_id, $19::timestamptz as last_out_at) v
   where c.id = $1::uuid and c.turn = $2::int
  returning c.*),
texts as (
  insert into message (id, org_id, direction, purpose, state, driver, priority, account_id, pool_id, sender_id, sender, address, campaign_id,
                       conversation_id, contact_id, programme, step, body, encoding, segments, due_at, not_after)
  select t.id, c.org_id, 'outbound', 'auto_reply', 'planned', 'conversation', t.priority, c.account_id, p.pool_id, c.sender_id, c.sender, c.address,
         c.campaign_id, c.id, c.contact_id, p.programme, t.step, t.body, t.encoding::segment_encoding, t.segments, now(), now() + t.useful * interval '1 ms'
    from c join campaign p on p.id = c.campaign_id,
         jsonb_to_recordset($10::jsonb) t(id uuid, step text, body text, encoding text, segments smallint, priority smallint, useful float8)
  on conflict (id) do nothing returning id, org_id, campaign_id),
answers as (
  insert into answer_event (id, org_id, campaign_id, conversation_id, contact_id, script_version_id, step, visit, answer, inbound_id)
  select a.id, c.org_id, c.campaign_id, c.id, c.contact_id, c.script_version_id, a.step, a.visit, a.answer, a.inbound_id
    from c, unnest($11::uuid[], $12::text[], $13::int[], $14::text[], $15::uuid[]) a(id, step, visit, answer, inbound_id)
  on conflict (id) do nothing returning *),
latest as (
  insert into answer_current (conversation_id, step, org_id, campaign_id, answer, inbound_id, at)
  select distinct on (conversation_id, step) conversation_id, step, org_id, campaign_id, answer, inbound_id, at
    from answers order by conversation_id, step, visit desc
  on conflict (conversation_id, step) do update set answer = excluded.answer, inbound_id = excluded.inbound_id, at = excluded.at),
tagged as (
  insert into tagging (conversation_id, tag, org_id) select c.id, t.tag, c.org_id from c, unnest($16::text[]) t(tag) on conflict do nothing),
counted as (
  insert into counter_delta (org_id, campaign_id, kind, value, n)
  select org_id, campaign_id, 'state', 'planned', count(*) from texts where campaign_id is not null group by 1, 2
  union all select org_id, campaign_id, 'answer', step || '=' || answer, count(*) from answers where campaign_id is not null group by 1, 2, 4)
select 1 as done from c`;

/** Returns false when another turn came first: read again. */
export async function writeTurn(
  database: Database,
  write: TurnWrite,
  out: { readonly sender: string; readonly senderId: string | null; readonly lastAt: Date | null },
): Promise<boolean> {
  const { answers } = write;
  const rows = await database.query(
    WRITE,
    write.conversationId,
    write.turn,
    write.state,
    write.needsReplyReason,
    write.step,
    write.visits,
    write.handledSeq,
    write.waitsForMessageId,
    write.closesAt,
    JSON.stringify(
      write.texts.map((text) => ({
        id: text.id,
        step: text.step,
        body: text.body,
        encoding: text.encoding,
        segments: text.segments,
        priority: text.priority,
        useful: text.usefulMs,
      })),
    ),
    answers.map((answer) => answer.id),
    answers.map((answer) => answer.step),
    answers.map((answer) => answer.visit),
    answers.map((answer) => answer.answer),
    answers.map((answer) => answer.inboundId),
    write.tags,
    out.sender,
    out.senderId,
    out.lastAt,
  );
  return rows.length === 1;
}
