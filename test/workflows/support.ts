import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  Runtime,
  Worker,
  type WorkflowBundle,
} from '@temporalio/worker';
import proto from '@temporalio/proto';
import { afterAll, beforeAll } from 'vitest';
import type { EngineActivities, FileActivities, PoolActivities } from '../../activities/index.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import {
  ENGINE_QUEUE,
  FILES_QUEUE,
  SEARCH_ATTRIBUTE_NAMES,
  SENDING_QUEUE,
} from '../../workflows/contract.ts';
import { testServerExecutable } from '../support/temporal.ts';

/** Stand-ins for activities; one that a test does not name must not be called. */
export type FakeActivities = Partial<EngineActivities & FileActivities & PoolActivities>;

export interface WorkflowBench {
  readonly env: TestWorkflowEnvironment;
  /** Runs workers that have these activities while `work` runs. */
  readonly run: <Result>(
    activities: FakeActivities,
    work: () => Promise<Result>,
  ) => Promise<Result>;
  /** Starts a workflow of that name under an id of its own. */
  readonly start: (workflow: string, input: object) => Promise<StartedWorkflow>;
}

export type StartedWorkflow = Awaited<
  ReturnType<TestWorkflowEnvironment['client']['workflow']['start']>
>;
type History = Awaited<ReturnType<StartedWorkflow['fetchHistory']>>;
type EventAttributes = Extract<keyof NonNullable<History['events']>[number], `${string}Attributes`>;

let lastId = 0;

Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: {
    logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) },
  },
});

/** Gives a test file a server whose clock skips ahead while nothing happens, and the bundle of today. */
export function withWorkflows(): () => WorkflowBench {
  let bench: WorkflowBench | null = null;
  let stop = async (): Promise<void> => {};
  beforeAll(async () => {
    const [env, bundle] = await Promise.all([startEnvironment(), bundleWorkflows()]);
    stop = async () => env.teardown();
    bench = {
      env,
      run: (activities, work) => runWorkers({ env, bundle, activities }, work),
      start: (workflow, input) =>
        env.client.workflow.start(workflow, {
          workflowId: `${workflow}/${(lastId += 1)}`,
          taskQueue: ENGINE_QUEUE,
          args: [input],
        }),
    };
  });
  afterAll(async () => stop());
  return () => {
    if (bench === null) throw new Error('the bench is there only inside hooks and tests');
    return bench;
  };
}

async function startEnvironment(): Promise<TestWorkflowEnvironment> {
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: await testServerExecutable() },
  });
  const keyword = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
  await env.connection.operatorService.addSearchAttributes({
    namespace: env.namespace ?? 'default',
    searchAttributes: Object.fromEntries(SEARCH_ATTRIBUTE_NAMES.map((name) => [name, keyword])),
  });
  return env;
}

async function runWorkers<Result>(
  parts: {
    readonly env: TestWorkflowEnvironment;
    readonly bundle: WorkflowBundle;
    readonly activities: FakeActivities;
  },
  work: () => Promise<Result>,
): Promise<Result> {
  const common = { connection: parts.env.nativeConnection, activities: parts.activities };
  const engine = await Worker.create({
    ...common,
    taskQueue: ENGINE_QUEUE,
    workflowBundle: parts.bundle,
  });
  const sending = await Worker.create({ ...common, taskQueue: SENDING_QUEUE });
  const files = await Worker.create({ ...common, taskQueue: FILES_QUEUE });
  return engine.runUntil(() => sending.runUntil(() => files.runUntil(work)));
}

/** A promise that a test resolves when it likes. */
export function createGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Counts the events of one kind, which is told by the name of its attributes. */
export async function countEvents(
  workflow: StartedWorkflow,
  kind: EventAttributes,
): Promise<number> {
  const { events } = await workflow.fetchHistory();
  return (events ?? []).filter((event) => (event[kind] ?? null) !== null).length;
}
