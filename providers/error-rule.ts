/** What a provider's error number means for the row, the person, the sender and the campaign. */
export interface ErrorRule {
  /** The provider's number; 0 when it gave none. */
  readonly code: number;
  /** One sentence for people. */
  readonly meaning: string;
  /** For the ledger row: try the same row later, give up, or ask the provider what happened. */
  readonly message: 'retry-later' | 'reject' | 'reconcile';
  /** For the person: leave alone, never text this number again, or an opt-out that we missed. */
  readonly contact: 'none' | 'invalid-number' | 'landline' | 'opted-out';
  /** For the sender (or account): nothing, go slower, hold it for a while, or take it out of use. */
  readonly sender: 'none' | 'slow-down' | 'hold' | 'stop-sender' | 'stop-account';
  /** For the campaign: nothing, or pause it because every further text would fail the same way. */
  readonly campaign: 'none' | 'pause';
  /** Whether a carrier or regulator says that such texts are unwanted or unregistered: a campaign's brakes count these. */
  readonly isViolation: boolean;
  /** How long to wait before the same row may be tried again, in milliseconds; null where it never is. */
  readonly retryAfterMs: number | null;
  /** Where the meaning is documented. */
  readonly source: string;
}
