import { POST_WITHIN_MS, type ClaimedMessage } from '../db/claims.ts';
import { applyToSending } from '../db/consequences.ts';
import { markContacts, type SendRecord } from '../db/records.ts';
import { suppress } from '../db/suppressions.ts';
import type { LoadedAccount } from '../db/accounts.ts';
import type { ErrorRule } from '../providers/error-rule.ts';
import type { SendOutcome } from '../providers/messaging-provider.ts';
import { faultPoint } from '../faults/points.ts';
import type { ActivityDeps } from './deps.ts';
import type { Sockets } from './sockets.ts';

/** What the carrier may keep a text for, at most (Twilio: 36,000 s), and at least (6 s is advised). */
const VALIDITY_S = { min: 6, max: 36_000 } as const;
/** How soon a row that was never started may be claimed again, in milliseconds; doubled each time, to a minute. */
const NOT_STARTED_AGAIN_MS = 250;

/** The moment, on this process's monotonic clock, until which a claim made now may start its POST. */
export function postBefore(): number {
  faultPoint('send.claiming');
  return performance.now() + POST_WITHIN_MS;
}

/** Milliseconds after which a row that is still `sending` belongs to reconcile. */
export function leaseMs(deps: ActivityDeps): number {
  return POST_WITHIN_MS + deps.settings.sendDeadlineMs + 10_000;
}

/**
 * POSTs one claimed row, once, and records what is certain about it. Key: (message id, attempt).
 */
export async function postClaimed(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  claim: {
    readonly message: ClaimedMessage;
    readonly postBefore: number;
    /** The sender's rate: its texts start one after another. */
    readonly segmentsPerSecond: number;
    /** The socket that the caller holds for it, released here. */
    readonly socket: Pick<Sockets, 'release'>;
  },
): Promise<SendOutcome['kind']> {
  const { message } = claim;
  let outcome: SendOutcome;
  try {
    faultPoint('send.claimed');
    outcome = (await untilTurn(deps, claim)) ? await postNow(deps, loaded, claim) : TOO_LATE;
  } finally {
    claim.socket.release();
  }
  faultPoint('send.accepted');
  deps.onPost(outcome.kind);
  // First the rule, then the record: a crash between leaves the row to reconcile, not an opt-out unnoticed.
  if (outcome.kind === 'refused') await applyRule(deps, message, outcome.rule);
  await deps.recorder.add(toRecord(message, outcome));
  return outcome.kind;
}

const TOO_LATE: SendOutcome = {
  kind: 'not-started',
  detail: 'no socket was free in time, or the turn of its sender came too late',
};

/** The one request, on the socket that is held for it. */
async function postNow(
  deps: ActivityDeps,
  loaded: LoadedAccount,
  {
    message,
    postBefore: before,
  }: { readonly message: ClaimedMessage; readonly postBefore: number },
): Promise<SendOutcome> {
  const from = performance.now();
  try {
    return await deps.providers.get(loaded.provider).send(
      loaded.account,
      {
        to: message.address,
        from: message.sender,
        body: message.body,
        mediaUrls: message.media,
        statusCallbackUrl: statusCallbackUrl(deps.settings.publicUrl, message),
        validityPeriodS: validityS(message.left_s),
      },
      {
        deadlineMs: deps.settings.sendDeadlineMs,
        // A process that was frozen since its claim must not post what others gave up.
        mayStart: () => performance.now() < before,
      },
    );
  } finally {
    deps.sockets.wire.give(performance.now() - from);
  }
}

/**
 * Waits until the sender's pace lets this text start and a socket is held for it; false when that comes too
 * late. The socket first: a text whose turn is noted must start, or the next one comes too near to it.
 */
async function untilTurn(
  deps: ActivityDeps,
  claim: {
    readonly message: ClaimedMessage;
    readonly postBefore: number;
    readonly segmentsPerSecond: number;
  },
): Promise<boolean> {
  const { sender_id: id, segments } = claim.message;
  const turn = deps.pace.book({ id, segmentsPerSecond: claim.segmentsPerSecond }, segments);
  const leftMs = (): number => claim.postBefore - performance.now();
  await sleepMs(Math.min(turn.leftMs(), leftMs()));
  const { wire } = deps.sockets;
  if (leftMs() <= 0 || !(await wire.take(claim.postBefore))) {
    turn.giveUp();
    return false;
  }
  for (let waitMs = turn.waitMs(); waitMs > 0; waitMs = turn.waitMs()) {
    if (leftMs() <= 0) {
      turn.giveUp();
      wire.give(null);
      return false;
    }
    await sleepMs(Math.min(waitMs, leftMs()));
  }
  return true;
}

async function sleepMs(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Our account and message in the path: the first report finds the row and heals a lost answer. */
export function statusCallbackUrl(
  publicUrl: string,
  message: { readonly account_id: string; readonly id: string },
): string {
  return new URL(
    `/webhooks/twilio/${message.account_id}/status/${message.id}#rc=5&rp=all`,
    publicUrl,
  ).href;
}

const REFUSED = { 'retry-later': 'planned', reject: 'rejected', reconcile: 'unknown' } as const;

function toRecord(message: ClaimedMessage, outcome: SendOutcome): SendRecord {
  const base = {
    id: message.id,
    attempt: message.attempt,
    providerMessageId: null,
    errorCode: null,
    delayMs: 0,
  };
  switch (outcome.kind) {
    case 'accepted':
      return {
        ...base,
        outcome: 'accepted',
        providerMessageId: outcome.providerMessageId,
        reason: null,
      };
    case 'not-started':
      return {
        ...base,
        outcome: 'planned',
        reason: outcome.detail,
        delayMs: NOT_STARTED_AGAIN_MS * 2 ** Math.min(message.attempt - 1, 8),
      };
    case 'refused':
      return {
        ...base,
        outcome: REFUSED[outcome.rule.message],
        errorCode: outcome.rule.code,
        reason: outcome.detail,
        delayMs: outcome.retryAfterMs ?? outcome.rule.retryAfterMs ?? 0,
      };
    case 'unknown':
      return { ...base, outcome: 'unknown', reason: outcome.detail };
    default:
      return assertNever(outcome);
  }
}

function assertNever(outcome: never): never {
  throw new Error(`unknown outcome ${JSON.stringify(outcome)}`);
}

/** Carries out what an error number means for the person, the sender, the account and the campaign. */
async function applyRule(
  deps: ActivityDeps,
  message: ClaimedMessage,
  rule: ErrorRule,
): Promise<void> {
  const { database } = deps;
  if (rule.contact === 'opted-out') {
    await suppress(database, {
      orgId: message.org_id,
      address: message.address,
      reason: 'provider_blocked',
      source: 'provider',
      evidenceMessageId: message.id,
    });
  } else if (rule.contact !== 'none' && message.contact_id !== null) {
    await markContacts(
      database,
      [message.contact_id],
      rule.contact === 'landline' ? 'landline' : 'invalid_number',
    );
  }
  await applyToSending(database, message, rule);
  if (!['none', 'slow-down'].includes(rule.sender)) {
    deps.log.error(
      { sender: message.sender_id, account: message.account_id, code: rule.code },
      'a sender or its account was taken out of use',
    );
  }
}

function validityS(leftS: number): number {
  return Math.min(VALIDITY_S.max, Math.max(VALIDITY_S.min, leftS));
}
