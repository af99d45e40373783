/** Small made-up facts for the judges' tests. */
import type {
  ApiCallFact,
  CampaignFact,
  CreateFact,
  Expectations,
  Facts,
  InboundFact,
  IntruderFact,
  LedgerFacts,
  MessageFact,
  ReportsFact,
} from './facts/facts.ts';

export const ORG = 'org-1';
export const ACCOUNT = 'account-1';
export const ACCOUNT_SID = 'AC1';
export const CAMPAIGN = 'campaign-1';
export const PERSON = '+13125550101';
export const SENDER = '+12025550100';
/** A Tuesday, 17:00 in New York. */
export const NOON = Date.parse('2026-11-24T22:00:00Z');

export function aCreate(part: Partial<CreateFact> = {}): CreateFact {
  return {
    n: 1,
    receivedAtMs: NOON,
    answer: 201,
    fault: null,
    sid: 'SM1',
    accountSid: ACCOUNT_SID,
    to: PERSON,
    from: SENDER,
    billed: 1,
    counted: 1,
    accountId: ACCOUNT,
    messageId: 'm1',
    ...part,
  };
}

/** A request that created nothing. */
export function aRefusal(answer: number | null, part: Partial<CreateFact> = {}): CreateFact {
  return aCreate({ answer, sid: null, billed: null, ...part });
}

export function aMessage(part: Partial<MessageFact> = {}): MessageFact {
  return {
    id: 'm1',
    orgId: ORG,
    direction: 'outbound',
    purpose: 'campaign',
    state: 'accepted',
    delivery: 'none',
    driver: 'pool',
    accountId: ACCOUNT,
    poolId: 'pool-1',
    sender: SENDER,
    address: PERSON,
    campaignId: CAMPAIGN,
    conversationId: 'contact-1',
    step: 'ask',
    wave: 0,
    retryOf: null,
    segments: 1,
    providerMessageId: 'SM1',
    errorCode: null,
    reason: null,
    bodyMd5: null,
    ...part,
  };
}

export function aText(part: Partial<InboundFact> = {}): InboundFact {
  return {
    sid: 'SM9',
    from: PERSON,
    to: SENDER,
    bodyMd5: 'a body',
    keyword: null,
    atMs: NOON,
    isListOnly: false,
    ackedAtMs: NOON + 10,
    isDeleted: false,
    ...part,
  };
}

/** The row of such a text. */
export function aStoredText(part: Partial<MessageFact> = {}): MessageFact {
  return aMessage({
    id: 'i1',
    direction: 'inbound',
    purpose: 'inbound',
    state: 'received',
    providerMessageId: 'SM9',
    bodyMd5: 'a body',
    segments: null,
    ...part,
  });
}

export function aCampaign(part: Partial<CampaignFact> = {}): CampaignFact {
  return {
    id: CAMPAIGN,
    orgId: ORG,
    state: 'running',
    policy: 'confirmed_absent',
    hours: [{ startMinute: 540, endMinute: 1_200, days: [1, 2, 3, 4, 5, 6], blackout: [] }],
    boundByLaw: false,
    startsAtLocal: null,
    autoRepliesInHoursOnly: false,
    fence: 3,
    audience: 1,
    contacts: 1,
    cursorSum: 1,
    passedOver: 0,
    waiting: 0,
    waitingOpen: 0,
    stateRowsAudited: 3,
    isAudited: true,
    ...part,
  };
}

export function aCall(part: Partial<ApiCallFact> = {}): ApiCallFact {
  return {
    sentAtMs: NOON,
    atMs: NOON + 600,
    status: 200,
    action: 'pause',
    campaignId: CAMPAIGN,
    address: null,
    orgId: null,
    idempotencyKey: null,
    ...part,
  };
}

export interface Given {
  readonly creates?: readonly CreateFact[];
  readonly inbound?: readonly InboundFact[];
  readonly reports?: Readonly<Record<string, ReportsFact>>;
  readonly calls?: readonly ApiCallFact[];
  readonly intruders?: readonly IntruderFact[];
  readonly messages?: readonly MessageFact[];
  readonly campaigns?: readonly CampaignFact[];
  readonly zones?: readonly string[];
  readonly ledger?: Partial<LedgerFacts>;
  readonly expectations?: Partial<Expectations>;
}

/** Facts that hold only what a test gives. */
export function someFacts(given: Given): Facts {
  const byId = <Item extends { readonly id: string }>(items: readonly Item[] = []) =>
    new Map(items.map((item) => [item.id, item]));
  return {
    journal: {
      creates: given.creates ?? [],
      inbound: new Map((given.inbound ?? []).map((text) => [text.sid, text])),
      reports: new Map(Object.entries(given.reports ?? {})),
      unreadable: 0,
    },
    clients: { calls: given.calls ?? [], intruders: given.intruders ?? [], unreadable: 0 },
    ledger: {
      readAtMs: NOON + 60_000,
      messages: byId(given.messages),
      campaigns: byId(given.campaigns ?? [aCampaign()]),
      whereabouts: () => ({ zones: given.zones ?? ['America/New_York'], isAmerican: true }),
      accounts: new Map([[ACCOUNT, { orgId: ORG, accountSid: ACCOUNT_SID }]]),
      senderLimits: new Map([[`${ACCOUNT_SID} ${SENDER}`, 2]]),
      events: new Map(),
      foreignEvents: { rule: 'foreign', rows: 0, examples: [] },
      inboundKeys: new Set(),
      quarantined: new Set(),
      suppressed: new Set(),
      unheardConversations: [],
      doorbells: new Set(),
      audit: [],
      seals: { sealed: 0, broken: { rule: 'seals', rows: 0, examples: [] } },
      orphans: [],
      counters: [],
      ...given.ledger,
    },
    expectations: {
      healed: false,
      clockToleranceMs: 100,
      jitterMs: 0,
      senderLimits: {},
      liveWorkflows: null,
      bounds: null,
      ...given.expectations,
    },
  };
}
