/** What may be broken in the engine, and which promise that breaks. */
import type { Edit } from './trees.ts';

export interface Mutation {
  readonly what: string;
  /** The verdicts that turn red, and no other. */
  readonly breaks: readonly string[];
  readonly edits: readonly Edit[];
}

/** Judged by a run of the ingest alone. */
export const WEBHOOK_MUTATIONS: readonly Mutation[] = [
  {
    what: 'inbound texts are stored as often as they come',
    breaks: ['I3'],
    edits: [
      {
        file: 'db/inbound.ts',
        find: 'from e join k on k.message_id = e.id),',
        replace: 'from e),',
      },
    ],
  },
  {
    what: 'inbound texts are answered before they are committed',
    breaks: ['I3'],
    edits: [
      {
        file: 'api/webhooks/twilio.ts',
        find: 'await deps.ingest.addInbound({',
        replace:
          'void (async (arrival: Parameters<typeof deps.ingest.addInbound>[0]) => deps.ingest.addInbound(arrival).catch(() => {}))({',
      },
    ],
  },
  {
    what: 'blank parameters are left out of signatures',
    breaks: ['I3', 'I5'],
    edits: [
      {
        file: 'providers/twilio-webhooks.ts',
        find: 'values.set(name, earlier === undefined ? value : [earlier, value].flat());',
        replace:
          "if (value !== '') values.set(name, earlier === undefined ? value : [earlier, value].flat());",
      },
      {
        file: 'providers/twilio-webhooks.ts',
        find: 'if (before?.[0] !== name || before[1] !== value) text += name + value;',
        replace: "if (value !== '') text += name + value;",
      },
    ],
  },
  {
    what: 'signatures are not checked',
    breaks: ['I5'],
    edits: [
      { file: 'api/webhooks/twilio.ts', find: 'if (!genuine) {', replace: 'if (c === null) {' },
    ],
  },
  {
    what: 'a report may name the text of another account',
    breaks: ['I5', 'I6'],
    edits: [
      {
        file: 'db/reports.ts',
        find: 'on m.id = e.message_id and m.account_id = e.account_id),',
        replace: 'on m.id = e.message_id),',
      },
      {
        file: 'db/reports.ts',
        find: 'on t.message_id = m.id and t.account_id = m.account_id',
        replace: 'on t.message_id = m.id',
      },
    ],
  },
  {
    what: 'reports are applied in the order in which they arrive',
    breaks: ['I6'],
    edits: [
      {
        file: 'db/reports.ts',
        find: 'delivery = greatest(m.delivery, t.status),',
        replace: 'delivery = t.status,',
      },
      {
        file: 'db/reports.ts',
        find: 'and (m.delivery < t.status or h.was in',
        replace: 'and (m.delivery <> t.status or h.was in',
      },
    ],
  },
  {
    what: 'the error number of a report is dropped',
    breaks: ['I6'],
    edits: [
      {
        file: 'db/reports.ts',
        find: 'error_code = coalesce(t.code, m.error_code),',
        replace: 'error_code = m.error_code,',
      },
    ],
  },
];

/** Judged by a run of the API alone. */
export const API_MUTATIONS: readonly Mutation[] = [
  {
    what: 'a change of a campaign is not audited',
    breaks: ['I9'],
    edits: [
      {
        file: 'db/campaigns.ts',
        find: "'reason', $5::text) from changed),",
        replace: "'reason', $5::text) from changed where false),",
      },
    ],
  },
];

/** Judged by a run of campaigns: what is sent, and how often. */
export const SENDING_MUTATIONS: readonly Mutation[] = [
  {
    what: 'an accepted text is recorded as refused',
    breaks: ['I1'],
    edits: [
      {
        file: 'activities/post.ts',
        find: "outcome: 'accepted',\n        providerMessageId: outcome.providerMessageId,",
        replace: "outcome: 'rejected',\n        providerMessageId: outcome.providerMessageId,",
      },
    ],
  },
  {
    what: 'the planner passes over the first of each slice',
    breaks: ['I1'],
    edits: [
      {
        file: 'activities/campaigns.ts',
        find: 'fromSeq: cursor.next_seq,\n    toSeq,',
        replace: 'fromSeq: cursor.next_seq + 1,\n    toSeq,',
      },
    ],
  },
  {
    what: 'an answer is posted twice',
    breaks: ['I2'],
    edits: [
      {
        file: 'providers/twilio.ts',
        find: 'transport.clientFor(account).messages.create(createParams(text)),',
        replace:
          'transport.clientFor(account).messages.create(createParams(text)).then(async (first) => text.body.startsWith("Thank") ? transport.clientFor(account).messages.create(createParams(text)) : first),',
      },
    ],
  },
  {
    what: 'a text of unknown outcome is posted again',
    breaks: ['I2'],
    edits: [
      {
        file: 'activities/post.ts',
        find: "return { ...base, outcome: 'unknown', reason: outcome.detail };",
        replace: "return { ...base, outcome: 'planned', reason: outcome.detail };",
      },
    ],
  },
  {
    what: 'the gap filler stores nothing',
    breaks: ['I3'],
    edits: [
      {
        file: 'activities/inbound-lists.ts',
        find: 'const stored = await storeInbound(deps.database, batch);',
        replace: 'const stored = await storeInbound(deps.database, batch.slice(batch.length));',
      },
    ],
  },
  {
    what: 'long texts are counted short',
    breaks: ['I10'],
    edits: [
      {
        file: 'domain/segments.ts',
        find: 'gsm7: { single: 160, multi: 153 },',
        replace: 'gsm7: { single: 160, multi: 160 },',
      },
    ],
  },
  {
    what: 'a second try names no first one',
    breaks: ['orphans'],
    edits: [
      {
        file: 'db/reconcile.ts',
        find: 'u.try + 1, u.id, u.body',
        replace: 'u.try + 1, $5::uuid, u.body',
      },
    ],
  },
  {
    what: 'a counter forgets where a text came from',
    breaks: ['counters'],
    edits: [
      {
        file: 'db/records.ts',
        find: 'was::text, -count(*) from recorded',
        replace: 'was::text, 0 from recorded',
      },
    ],
  },
];

/** By the same run: what must not be sent yet, or not any more. */
export const HOLDING_MUTATIONS: readonly Mutation[] = [
  {
    what: 'claims do not look for an opt-out',
    breaks: ['I4'],
    edits: [
      {
        file: 'db/claims.ts',
        find: 'when s.found is not null then s.reason',
        replace: 'when false then s.reason',
      },
    ],
  },
  {
    what: 'claims do not look whether the campaign runs',
    breaks: ['I4'],
    edits: [
      {
        file: 'db/pools.ts',
        find: "where c.pool_id = p.id and c.state = 'running'\n      and (",
        replace: 'where c.pool_id = p.id\n      and (',
      },
      {
        file: 'db/claims.ts',
        find: "c.state = 'running' and c.fence =",
        replace: 'c.fence =',
      },
      {
        file: 'db/claims.ts',
        find: "c.state <> 'running')\n",
        replace: "c.state = 'draft')\n",
      },
    ],
  },
  {
    what: 'texts are planned at any hour',
    breaks: ['I7'],
    edits: [
      {
        file: 'activities/campaign-windows.ts',
        find: 'cursor.opens_at.getTime() <= nowMs &&',
        replace: '',
      },
    ],
  },
  {
    what: 'neither permits nor the pace of a sender are waited for',
    breaks: ['I8'],
    edits: [
      {
        file: 'activities/permit-book.ts',
        find: 'left: granted.get(name) ?? wish.want,',
        replace: 'left: wish.want,',
      },
      {
        file: 'activities/sender-pace.ts',
        find: 'const SLACK = 1.02;',
        replace: 'const SLACK = 0.05;',
      },
      {
        file: 'activities/sender-pace.ts',
        find: 'const NEAREST = 0.95;',
        replace: 'const NEAREST = 0;',
      },
    ],
  },
];

/** Judged by a run in which a worker is frozen and killed. */
export const WORKER_MUTATIONS: readonly Mutation[] = [
  {
    what: 'a claim gives the right to post for ever',
    breaks: ['I4'],
    edits: [
      {
        file: 'activities/post.ts',
        find: 'return performance.now() + POST_WITHIN_MS;',
        replace: 'return performance.now() + 3_600_000;',
      },
    ],
  },
  {
    what: 'texts of a dead worker are planned again',
    breaks: ['I2'],
    edits: [
      {
        file: 'db/reconcile.ts',
        find: "set state = 'unknown', reason = 'no_answer_recorded'",
        replace: "set state = 'planned', reason = 'no_answer_recorded'",
      },
      {
        file: 'db/reconcile.ts',
        find: "['state', `'unknown'`, 1],",
        replace: "['state', `'planned'`, 1],",
      },
    ],
  },
];
