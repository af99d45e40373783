import { PURPOSE_RULES, type Purpose } from '../domain/purpose.ts';
import { measure } from '../domain/segments.ts';
import { causeId } from './ids.ts';

/** A text that answers a keyword. */
export interface Reply {
  readonly id: string;
  readonly purpose: Purpose;
  readonly body: string;
  readonly encoding: string;
  readonly segments: number;
  readonly priority: number;
  /** What is said where the keyword could not be followed. */
  readonly otherwise?: Reply;
}

/** Which replies answer a keyword, and what they say. CTIA: name the programme, say how to come back. */
const CONFIRMATIONS = {
  stop: {
    purpose: 'stop_confirmation',
    body: (org: string) => `${org}: you will get no more texts from us. Reply START to come back.`,
  },
  start: {
    purpose: 'start_confirmation',
    body: (org: string) =>
      `${org}: welcome back, you will get our texts again. Reply STOP to opt out.`,
  },
  help: {
    purpose: 'help',
    body: (org: string) => `${org}: reply STOP to opt out. Msg & data rates may apply.`,
  },
} as const satisfies Record<string, { purpose: Purpose; body: (org: string) => string }>;

/** What answers this keyword, if it is one; its id is derived from the text that it answers. */
export function confirmation(
  orgName: string,
  { kind, id, atMs }: { kind: string; id: string; atMs: number },
): Reply | null {
  if (kind !== 'stop' && kind !== 'start' && kind !== 'help') return null;
  const { purpose, body: write } = CONFIRMATIONS[kind];
  const reply = toReply({
    id: causeId(atMs, 'confirmation', id, kind),
    purpose,
    body: write(orgName),
  });
  if (kind !== 'start') return reply;
  const body = `${orgName}: you are still opted out. Reply START again in two minutes to come back.`;
  return { ...reply, otherwise: toReply({ id: reply.id, purpose: 'help', body }) };
}

function toReply({ id, purpose, body }: Pick<Reply, 'id' | 'purpose' | 'body'>): Reply {
  const { encoding, segments } = measure(body);
  return { id, purpose, body, encoding, segments, priority: PURPOSE_RULES[purpose].priority };
}
