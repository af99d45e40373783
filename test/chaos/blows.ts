import { setTimeout as sleep } from 'node:timers/promises';
import { anythingSchema, ApiError } from '../../cli/demo-client.ts';
import type { LaunchedCampaign } from '../support/stack/campaigns.ts';
import type { Part } from '../support/stack/parts.ts';
import type { Stack } from '../support/stack/stack.ts';
import type { Blow } from './plan.ts';
import type { Tally } from './tally.ts';

export interface ChaosCampaign extends LaunchedCampaign {
  readonly people: readonly string[];
  readonly senders: readonly string[];
  /** When its window opens; null for one that is open all the time. */
  readonly opensAtMs: number | null;
}

export interface Arena {
  readonly stack: Stack;
  readonly campaigns: readonly ChaosCampaign[];
  readonly tally: Tally;
  /** Aborted when everything is to heal: waits end, nothing new begins. */
  readonly healing: AbortSignal;
}

const STOP_WORDINGS = ['STOP', 'Stop please', 'unsubscribe', 'please remove me'] as const;
const RETRY_MS = 200;
const CALL_WITHIN_MS = 40_000;

/** Carries out one blow; what it breaks for a while is whole again when it resolves. */
export async function strike(arena: Arena, blow: Blow): Promise<void> {
  const { stack, tally } = arena;
  switch (blow.kind) {
    case 'kill-worker':
      return killPart(arena, choose(workers(stack), blow.target));
    case 'kill-ingest':
      return killPart(arena, stack.part('ingest'));
    case 'kill-api':
      return killPart(arena, stack.part('api'));
    case 'kill-postgres':
    case 'kill-temporal':
      return killServer(arena, blow);
    case 'freeze-worker':
      return freeze(arena, choose(workers(stack), blow.target), blow.ms);
    case 'freeze-ingest':
      return freeze(arena, stack.part('ingest'), blow.ms);
    case 'provider-fault':
      tally.add(`provider fault ${blow.fault ?? ''}`);
      tally.add(`armed at provider: ${blow.fault ?? ''}`, blow.times);
      await stack.steer('POST', 'faults', {
        fault: blow.fault,
        times: blow.times,
        delayMs: blow.ms,
      });
      return;
    case 'list-lag':
      tally.add('list lag changed');
      await stack.steer('PUT', 'settings', { listLagMs: blow.ms });
      return;
    case 'pause':
      return pause(arena, blow);
    case 'stop-by-text':
    case 'stop-by-list':
    case 'stop-by-api':
      return stop(arena, blow);
    default:
      return assertNever(blow.kind);
  }
}

function workers(stack: Stack): Part[] {
  return [...stack.parts.values()].filter((part) => part.command === 'worker');
}

async function killPart({ tally }: Arena, part: Part): Promise<void> {
  if (!part.isRunning()) return;
  tally.add(`kill ${part.command}`);
  await part.kill();
}

async function killServer(arena: Arena, blow: Blow): Promise<void> {
  const { stack, tally } = arena;
  const server = blow.kind === 'kill-postgres' ? stack.postgresServer : stack.temporalServer;
  tally.add(`kill ${blow.kind === 'kill-postgres' ? 'postgres' : 'temporal'}`);
  await server?.kill();
  await pauseFor(arena, blow.ms);
  await server?.start();
}

async function freeze(arena: Arena, part: Part, ms: number): Promise<void> {
  if (!part.isRunning()) return;
  arena.tally.add(`freeze ${part.command}`);
  part.freeze();
  await pauseFor(arena, ms);
  if (part.isRunning()) part.thaw();
}

async function pause(arena: Arena, blow: Blow): Promise<void> {
  const { path } = choose(arena.campaigns, blow.target);
  if (!(await persist(arena, () => arena.stack.api.post(`${path}/pause`, anythingSchema)))) return;
  arena.tally.add('pause');
  await pauseFor(arena, blow.ms);
  await persist(arena, () => arena.stack.api.post(`${path}/resume`, anythingSchema));
}

async function stop(arena: Arena, blow: Blow): Promise<void> {
  const { stack, tally } = arena;
  const campaign = choose(arena.campaigns, (blow.target * 997) % 1);
  const from = choose(campaign.people, blow.target);
  tally.add(blow.kind);
  if (blow.kind === 'stop-by-api') {
    const body = { address: from, reason: 'asked by e-mail' };
    await persist(arena, () => stack.api.post('/v1/suppressions', anythingSchema, body));
    return;
  }
  await stack.inject({
    from,
    to: choose(campaign.senders, blow.target),
    body: choose(STOP_WORDINGS, (blow.target * 31) % 1),
    deliver: blow.kind === 'stop-by-list' ? 'list-only' : 'webhook',
  });
}

/** Calls until an answer comes; false where the answer is that it cannot be done now. */
async function persist(arena: Arena, call: () => Promise<unknown>): Promise<boolean> {
  const deadline = Date.now() + CALL_WITHIN_MS;
  for (;;) {
    try {
      await call();
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status < 500) return false;
      if (Date.now() > deadline) throw error;
      arena.tally.add('API calls tried again');
      await sleep(RETRY_MS);
    }
  }
}

async function pauseFor({ healing }: Arena, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal: healing }).catch(() => {});
}

function choose<Item>(items: readonly Item[], target: number): Item {
  const item = items[Math.floor(target * items.length)];
  if (item === undefined) throw new Error('nothing to choose from');
  return item;
}

function assertNever(kind: never): never {
  throw new Error(`unknown blow ${String(kind)}`);
}
