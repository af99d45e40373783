/**
 * Named places in the engine at which a test makes a process die, freeze, or a call fail. A leaf: every
 * folder may import it, it imports nothing. What is armed is the process's own (one variable, set once at
 * start by runtime/): a hook handed down through every layer would be production code for tests' sake.
 */

/** Every point, and what is true there. */
export const FAULT_POINTS = {
  'send.claiming': 'permits and sockets are taken, no row is claimed yet',
  'send.claimed': 'a row is `sending`, its POST has not begun',
  'send.posted': 'a POST left and the provider answered, the answer is not read yet',
  'send.accepted': 'the answer is read, nothing is recorded',
  'send.recorded': 'a batch of outcomes is committed, nobody was told',
  'ingest.reading': 'a webhook’s headers are here, its body is being read',
  'ingest.storing': 'a batch of inbound texts is formed, not committed',
  'ingest.stored': 'a batch of inbound texts is committed, no 2xx was written',
  'report.storing': 'a batch of delivery reports is formed, not committed',
  'report.stored': 'a batch of delivery reports is committed, no 2xx was written',
  'import.storing': 'a chunk of a file is judged, not committed',
  'import.stored': 'a chunk is committed with its cursor, the next is not begun',
  'export.stored': 'a chunk of an export is committed with its cursor, the next is not begun',
  'archive.stored':
    'the file of one campaign in a slice is stored and read back, the slice is not noted',
  'archive.noted': 'a slice of a month is noted with its cursor, the next is not begun',
  'archive.detached': 'a month is detached, nobody has compared its files since',
  'archive.verified': 'the files of a detached month are compared, its rows are not dropped',
  'archive.dropped': 'the rows of a month are dropped',
  'archive.purged': 'the files of a purge are removed, the manifest does not say so',
  'plan.storing': 'texts of a campaign are written, not committed',
  'plan.stored': 'texts are committed with their cursor, the slice goes on',
  'turn.storing': 'a conversation’s turn is decided, not committed',
  'turn.stored': 'a turn is committed, its workflow was not told',
  'relay.rung': 'Temporal took the doorbells, they still stand in the outbox',
  'gap.stored': 'what a gap hid is stored, the gap is still open',
} as const;

export type FaultPoint = keyof typeof FAULT_POINTS;

const FAULT_ACTIONS = ['kill', 'fail', 'stop'] as const;
/** `kill` is SIGKILL, `stop` is SIGSTOP, both to the process itself; `fail` throws. */
export type FaultAction = (typeof FAULT_ACTIONS)[number];

/** One armed point: strikes once, at the `at`th passage, or at each with the chance `share`. */
export interface ArmedFault {
  readonly point: FaultPoint;
  readonly action: FaultAction;
  readonly at: number | null;
  readonly share: number;
}

/** What an armed point throws. */
export class FaultError extends Error {
  override readonly name = 'FaultError';
}

/** Called where a test has armed the point of this name. */
type Strike = (point: FaultPoint) => void;

let strike: Strike | null = null;

/** Marks a place where a test may let this process fail. Costs a comparison with null. */
export function faultPoint(point: FaultPoint): void {
  if (strike !== null) strike(point);
}

/**
 * Reads what to arm: `send.accepted:kill@3 ingest.stored:fail@0.05`. A whole number is the passage at
 * which it strikes (1 where nothing is said), a fraction below 1 the chance at every passage.
 */
export function parseFaultPoints(
  text: string,
): { readonly ok: true; readonly value: ArmedFault[] } | { readonly ok: false; problem: string } {
  const value: ArmedFault[] = [];
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const [, point = '', action = '', when = '1'] =
      /^([\w.-]+):(\w+)(?:@([\d.]+))?$/.exec(word) ?? [];
    const isAction = (FAULT_ACTIONS as readonly string[]).includes(action);
    const number = Number(when);
    const isCount = Number.isInteger(number) && number >= 1;
    if (
      !Object.hasOwn(FAULT_POINTS, point) ||
      !isAction ||
      !(isCount || (number > 0 && number < 1))
    )
      return { ok: false, problem: `cannot read "${word}"; write point:kill|fail|stop[@n]` };
    value.push({
      point: point as FaultPoint,
      action: action as FaultAction,
      at: isCount ? number : null,
      share: isCount ? 0 : number,
    });
  }
  return { ok: true, value };
}

/** Arms points for the rest of this process's life; `say` hears of each strike before it happens. */
export function armFaultPoints(
  armed: readonly ArmedFault[],
  say: (strike: { readonly point: FaultPoint; readonly action: FaultAction }) => void,
): void {
  if (armed.length === 0) {
    strike = null;
    return;
  }
  const passages = new Map<ArmedFault, number>();
  strike = (point) => {
    for (const fault of armed) {
      if (fault.point !== point) continue;
      const passage = (passages.get(fault) ?? 0) + 1;
      passages.set(fault, passage);
      if (fault.at === null ? Math.random() >= fault.share : passage !== fault.at) continue;
      say({ point, action: fault.action });
      act(fault);
    }
  };
}

function act({ point, action }: ArmedFault): void {
  if (action === 'fail') throw new FaultError(`the fault point ${point} is armed`);
  process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
}
