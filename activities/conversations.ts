import { causeId } from '../db/ids.ts';
import { settleStop } from '../db/inbound.ts';
import { suppress } from '../db/suppressions.ts';
import {
  findTurnView,
  writeTurn,
  type TurnAnswer,
  type TurnInbound,
  type TurnText,
  type TurnView,
} from '../db/turns.ts';
import { classifyReply } from '../domain/keywords.ts';
import { PURPOSE_RULES, AUTO_REPLY_WITHIN_MS } from '../domain/purpose.ts';
import {
  advance,
  afterDelivered,
  findStep,
  isQuestion,
  openingSends,
  type Script,
} from '../domain/script.ts';
import { measure } from '../domain/segments.ts';
import { parseTemplate, render } from '../domain/template.ts';
import { faultPoint } from '../faults/points.ts';
import type { ActivityDeps } from './deps.ts';
import { mergeValues, readScript } from './scripts.ts';

export interface TurnResult {
  /** Texts for the workflow to send now, in order. */
  readonly sendIds: readonly string[];
  readonly state: string;
  /** True when, these texts sent, nothing is waited for any more; the next reply starts it again. */
  readonly done: boolean;
  /** Milliseconds until the next turn, unless somebody rings. */
  readonly waitMs: number;
}

const MAX_RACES = 5;
const UNSENT = new Set(['planned', 'skipped', 'rejected', 'lost']);
/** While texts of the conversation are with the pool, it looks again this often. */
const UNSETTLED_WAIT_MS = 30_000;

/** What a turn has decided so far. */
interface Draft {
  state: 'automatic' | 'needs_reply' | 'closed';
  reason: string | null;
  step: string | null;
  visits: number;
  handledSeq: number;
  waitsFor: string | null;
  optOut: TurnInbound | null;
  readonly answers: TurnAnswer[];
  readonly tags: string[];
  readonly texts: TurnText[];
}

export function createConversationActivities(deps: ActivityDeps) {
  return {
    /**
     * One turn of a conversation: deals with every text that came in since the last, and says what to
     * send and how long to wait. Key: (conversation, turn number); effects carry ids derived from
     * the inbound text, so a ring too many, too late or out of order does nothing.
     */
    takeTurn: async (input: { readonly conversationId: string }): Promise<TurnResult> => {
      for (let race = 0; race < MAX_RACES; race += 1) {
        const view = await findTurnView(deps.database, input.conversationId);
        if (view === null) return { sendIds: [], state: 'unknown', done: true, waitMs: 0 };
        const draft = decide(view, Date.now());
        if (draft.optOut !== null) await optOut(deps, view, draft.optOut);
        if (await write(deps, view, draft)) return result(view, draft);
      }
      throw new Error(
        `conversation ${input.conversationId}: ${MAX_RACES} turns were taken by others`,
      );
    },
  };
}

function decide(view: TurnView, nowMs: number): Draft {
  const script = view.graph === null ? null : readScript(view.graph);
  const draft = openDraft(view, script);
  for (const inbound of view.inbound) {
    draft.handledSeq = inbound.arrival_seq;
    if (script !== null) hear(view, draft, { script, inbound });
  }
  if (script !== null && draft.state === 'automatic') hearDelivery(view, draft, script);
  if (draft.state === 'automatic' && isOver(view, draft, nowMs)) draft.state = 'closed';
  return draft;
}

/** The first turn of a conversation puts it where the script's first text left it. */
function openDraft(view: TurnView, script: Script | null): Draft {
  const fresh = view.turn === 0 && view.opened && script !== null;
  const opening = fresh ? openingSends(script) : null;
  const first = opening?.step == null || script === null ? null : findStep(script, opening.step);
  // Without a question of its own, the first text is followed by the next once it was delivered.
  const waitsForFirst = first !== null && !isQuestion(first);
  return {
    state: view.state === 'closed' && view.inbound.length > 0 ? 'automatic' : view.state,
    reason: view.state === 'needs_reply' ? view.needs_reply_reason : null,
    step: opening === null ? view.step : opening.step,
    visits: opening === null ? view.visits : 1,
    handledSeq: view.handled_seq,
    waitsFor: waitsForFirst ? view.first_id : view.waits_for_message_id,
    optOut: null,
    answers: [],
    tags: [],
    texts: [],
  };
}

function hear(
  view: TurnView,
  draft: Draft,
  { script, inbound }: { script: Script; inbound: TurnInbound },
): void {
  const kind = inbound.keyword ?? classifyReply(inbound.body).kind;
  if (kind === 'stop') {
    // The webhook's transaction has suppressed the person already; here the script only ends.
    draft.state = 'closed';
    draft.step = null;
    return;
  }
  if (kind === 'start' || kind === 'help') return;
  if (draft.state === 'needs_reply') return;
  const step = draft.step === null ? null : findStep(script, draft.step);
  if (kind === 'ambiguous-stop') return handOver(draft, 'may_be_a_stop');
  if (view.campaign_state === 'finished' || view.campaign_state === 'cancelled') {
    return handOver(draft, 'campaign_over');
  }
  if (draft.step === null || step === null || !isQuestion(step))
    return handOver(draft, 'after_the_script');
  // A reply cannot answer a question that has not left yet, or never will.
  if (draft.texts.length > 0 || UNSENT.has(view.question_state ?? '')) {
    return handOver(draft, 'question_not_sent');
  }
  const heard = advance({ script, step: draft.step, body: inbound.body });
  if (heard.outcome === 'unclear') {
    if (heard.handOver) return handOver(draft, 'unclear');
    return say(view, draft, { script, steps: heard.sends, causeId: inbound.id });
  }
  draft.answers.push({
    id: causeId(view.created_at.getTime(), 'answer', view.id, inbound.id),
    step: draft.step,
    visit: draft.visits,
    answer: heard.answer.key,
    inboundId: inbound.id,
  });
  if (heard.answer.tag !== undefined) draft.tags.push(heard.answer.tag);
  draft.step = heard.step;
  draft.visits += 1;
  if (heard.optOut) {
    draft.optOut = inbound;
    draft.step = null;
    return;
  }
  say(view, draft, { script, steps: heard.sends, causeId: inbound.id });
  if (heard.handOver) handOver(draft, 'asked_for_a_person');
}

/** A step that waits for its delivery goes on when the report came. */
function hearDelivery(view: TurnView, draft: Draft, script: Script): void {
  if (draft.waitsFor === null || draft.step === null) return;
  // What this turn has put in its place is not delivered yet.
  if (draft.waitsFor !== (view.waits_for_message_id ?? view.first_id)) return;
  if (view.waits_for_delivery !== 'delivered' && view.waits_for_delivery !== 'read') return;
  const next = afterDelivered({ script, step: draft.step });
  const cause = draft.waitsFor;
  draft.waitsFor = null;
  draft.step = next.step;
  draft.visits += 1;
  say(view, draft, { script, steps: next.sends, causeId: cause });
}

/** Renders the texts of the steps that go out now; a step that cannot be written goes to a person. */
function say(
  view: TurnView,
  draft: Draft,
  { script, steps, causeId: cause }: { script: Script; steps: readonly string[]; causeId: string },
): void {
  for (const [ordinal, key] of steps.entries()) {
    const parsed = parseTemplate(findStep(script, key)?.text ?? '');
    const rendered = parsed.ok ? render(parsed.template, mergeValues(view.merge ?? {})) : null;
    if (rendered === null || !rendered.ok) return handOver(draft, 'missing_merge_field');
    const { encoding, segments } = measure(rendered.body);
    const id = causeId(view.created_at.getTime(), 'reply', view.id, cause, ordinal);
    draft.texts.push({
      id,
      step: key,
      body: rendered.body,
      encoding,
      segments,
      priority: PURPOSE_RULES.auto_reply.priority,
      usefulMs: AUTO_REPLY_WITHIN_MS,
    });
    if (findStep(script, key)?.waitFor === 'delivered') draft.waitsFor = id;
  }
}

function handOver(draft: Draft, reason: string): void {
  draft.state = 'needs_reply';
  draft.reason = reason;
}

/** Over: the script has nothing more to ask, or nothing is under way and nothing more may come. */
function isOver(view: TurnView, draft: Draft, nowMs: number): boolean {
  if (draft.step === null) return true;
  const busy = draft.texts.length > 0 || view.unsettled > 0;
  if (busy) return false;
  if (view.campaign_state === 'cancelled' || view.campaign_state === 'finished') return true;
  if (view.replies_closed_at !== null) return true;
  return nowMs >= closesAtMs(view);
}

function closesAtMs(view: TurnView): number {
  return (view.last_out_at ?? view.created_at).getTime() + (view.reply_window_s ?? 0) * 1_000;
}

async function write(deps: ActivityDeps, view: TurnView, draft: Draft): Promise<boolean> {
  faultPoint('turn.storing');
  const written = await writeTurn(
    deps.database,
    {
      conversationId: view.id,
      turn: view.turn,
      state: draft.state,
      needsReplyReason: draft.reason,
      step: draft.step,
      visits: draft.visits,
      handledSeq: draft.handledSeq,
      waitsForMessageId: draft.waitsFor,
      closesAt: new Date(closesAtMs(view)),
      answers: draft.answers,
      tags: draft.tags,
      texts: draft.texts,
    },
    { sender: view.sender, senderId: view.sender_id, lastAt: view.last_out_at },
  );
  faultPoint('turn.stored');
  return written;
}

/** An answer that means "stop": suppressed like a stop, before the turn is written. */
async function optOut(deps: ActivityDeps, view: TurnView, inbound: TurnInbound): Promise<void> {
  await suppress(deps.database, {
    orgId: view.org_id,
    address: view.address,
    reason: 'answer',
    source: 'script',
    evidenceMessageId: inbound.id,
  });
  await settleStop(deps.database, { orgId: view.org_id, address: view.address });
}

function result(view: TurnView, draft: Draft): TurnResult {
  const sendIds = [...view.to_send, ...draft.texts.map((text) => text.id)];
  const untilClose = Math.max(1_000, closesAtMs(view) - Date.now());
  if (draft.handledSeq < view.arrival_seq) {
    // More came in than one turn reads.
    return { sendIds, state: draft.state, done: false, waitMs: 1 };
  }
  return {
    sendIds,
    state: draft.state,
    done: draft.state !== 'automatic',
    waitMs: view.unsettled > 0 ? Math.min(UNSETTLED_WAIT_MS, untilClose) : untilClose,
  };
}
