/** What is known after a run: plain data that the judges read and nothing else. */

/** A request to create a text, as the simulator saw it. */
export interface CreateFact {
  readonly n: number;
  /** When its headers came in. */
  readonly receivedAtMs: number;
  /** Null: no answer left. */
  readonly answer: number | null;
  readonly fault: string | null;
  /** Null: nothing was created. */
  readonly sid: string | null;
  readonly accountSid: string;
  readonly to: string;
  readonly from: string;
  /** Segments that the provider bills; null: nothing was created. */
  readonly billed: number | null;
  /** Segments by the checker's own count. */
  readonly counted: number;
  /** From the callback's path; null: it does not carry our ids. */
  readonly accountId: string | null;
  readonly messageId: string | null;
}

export type Keyword = 'stop' | 'start' | null;

/** A text from a person, which the provider holds. */
export interface InboundFact {
  readonly sid: string;
  readonly from: string;
  readonly to: string;
  readonly bodyMd5: string;
  readonly keyword: Keyword;
  readonly atMs: number;
  readonly isListOnly: boolean;
  /** Our first 2xx. */
  readonly ackedAtMs: number | null;
  readonly isDeleted: boolean;
}

/** What the provider said about one text's delivery. */
export interface ReportsFact {
  /** Every status it ever had, with its error number. */
  readonly ever: ReadonlyMap<string, number | null>;
  /** Those whose report we answered with a 2xx. */
  readonly acked: ReadonlySet<string>;
}

export interface JournalFacts {
  readonly creates: readonly CreateFact[];
  readonly inbound: ReadonlyMap<string, InboundFact>;
  /** By the provider's id. */
  readonly reports: ReadonlyMap<string, ReportsFact>;
  readonly unreadable: number;
}

/** A request of a client, with its answer. */
export interface ApiCallFact {
  readonly sentAtMs: number;
  /** When the answer was read, or given up. */
  readonly atMs: number;
  readonly status: number | null;
  readonly action: string | null;
  readonly campaignId: string | null;
  readonly address: string | null;
  readonly orgId: string | null;
  readonly idempotencyKey: string | null;
}

/** A webhook that did not come from the provider. */
export interface IntruderFact {
  readonly path: string;
  readonly status: number | null;
  readonly sid: string;
  readonly forged: boolean;
}

export interface ClientFacts {
  readonly calls: readonly ApiCallFact[];
  readonly intruders: readonly IntruderFact[];
  readonly unreadable: number;
}

/** A row of `message`. */
export interface MessageFact {
  readonly id: string;
  readonly orgId: string;
  readonly direction: 'outbound' | 'inbound';
  readonly purpose: string;
  readonly state: string;
  readonly delivery: string;
  readonly driver: string;
  readonly accountId: string;
  readonly poolId: string | null;
  readonly sender: string | null;
  readonly address: string;
  readonly campaignId: string | null;
  readonly conversationId: string | null;
  readonly step: string | null;
  readonly wave: number;
  readonly retryOf: string | null;
  readonly segments: number | null;
  readonly providerMessageId: string | null;
  readonly errorCode: number | null;
  readonly reason: string | null;
  /** Of inbound texts only. */
  readonly bodyMd5: string | null;
}

/** Hours of the day on wall clocks. */
export interface Hours {
  readonly startMinute: number;
  readonly endMinute: number;
  /** ISO weekdays, Monday is 1. */
  readonly days: readonly number[];
  /** YYYY-MM-DD. */
  readonly blackout: readonly string[];
}

export interface CampaignFact {
  readonly id: string;
  readonly orgId: string;
  readonly state: string;
  readonly policy: 'at_most_once' | 'confirmed_absent' | 'at_least_once';
  /** Its own and its org's: a text must lie within each. */
  readonly hours: readonly Hours[];
  /** Whether its org says that laws about hours bind it. */
  readonly boundByLaw: boolean;
  /** Nobody is texted before this time of their own clock (YYYY-MM-DDTHH:MM). */
  readonly startsAtLocal: string | null;
  readonly autoRepliesInHoursOnly: boolean;
  readonly fence: number;
  /** Null: the audience is not frozen. */
  readonly audience: number | null;
  readonly contacts: number;
  readonly cursorSum: number;
  /** Contacts without a first text: behind the cursor, ahead of it, and ahead of it while its hours are open. */
  readonly passedOver: number;
  readonly waiting: number;
  readonly waitingOpen: number;
  readonly stateRowsAudited: number;
  /** Whether its creation was audited: rows that a test inserted by hand are not. */
  readonly isAudited: boolean;
}

export interface Whereabouts {
  readonly zones: readonly string[];
  /** Whether the law of the United States may count. */
  readonly isAmerican: boolean;
}

export interface AuditFact {
  readonly action: string;
  readonly objectId: string;
  readonly byEngine: boolean;
  readonly rows: number;
}

/** Rows of one kind that break a rule of the database itself. */
export interface BrokenRows {
  readonly rule: string;
  readonly rows: number;
  readonly examples: readonly string[];
}

export interface LedgerFacts {
  /** When it was read: what the journals tell of later times is left out. */
  readonly readAtMs: number;
  readonly messages: ReadonlyMap<string, MessageFact>;
  readonly campaigns: ReadonlyMap<string, CampaignFact>;
  /** Where each campaign contact may be, by its id. */
  readonly whereabouts: (campaignContactId: string) => Whereabouts | null;
  readonly accounts: ReadonlyMap<string, { readonly orgId: string; readonly accountSid: string }>;
  /** Segments a second by account SID and number. */
  readonly senderLimits: ReadonlyMap<string, number>;
  /** Statuses kept as events, by account id and the provider's id. */
  readonly events: ReadonlyMap<string, readonly string[]>;
  readonly foreignEvents: BrokenRows;
  readonly inboundKeys: ReadonlySet<string>;
  readonly quarantined: ReadonlySet<string>;
  /** `org address` of everybody who was ever suppressed. */
  readonly suppressed: ReadonlySet<string>;
  readonly unheardConversations: readonly string[];
  readonly doorbells: ReadonlySet<string>;
  readonly audit: readonly AuditFact[];
  /** Audit rows under a chain of hashes, and the seals that do not hold. */
  readonly seals: { readonly sealed: number; readonly broken: BrokenRows };
  readonly orphans: readonly BrokenRows[];
  readonly counters: readonly BrokenRows[];
}

export interface Bounds {
  readonly kills: number;
  readonly sockets: number;
  readonly unknownShare: number;
  readonly withoutCreateShare: number;
  readonly acceptedShare: number;
}

export interface Expectations {
  readonly healed: boolean;
  readonly clockToleranceMs: number;
  readonly jitterMs: number;
  readonly senderLimits: Readonly<Record<string, number>>;
  readonly liveWorkflows: ReadonlySet<string> | null;
  readonly bounds: Bounds | null;
}

export interface Facts {
  readonly journal: JournalFacts;
  readonly clients: ClientFacts;
  readonly ledger: LedgerFacts;
  readonly expectations: Expectations;
}
