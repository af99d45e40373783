/** Runs the plain shapes for some seconds each, worker and client in this process, and prints how many ended a second. */
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { NativeConnection, Runtime, DefaultLogger, Worker } from '@temporalio/worker';
import { z } from 'zod';
import { plainConversation, plainTurn, rung } from './workflows.ts';

const IN_FLIGHT = 64;
const QUEUE = 'plain';

const settings = z
  .object({ address: z.string(), namespace: z.string(), seconds: z.number() })
  .parse(JSON.parse(process.argv[2] ?? '{}'));

Runtime.install({ logger: new DefaultLogger('ERROR') });
const connection = await NativeConnection.connect({ address: settings.address });
const client = new Client({ connection, namespace: settings.namespace });
const worker = await Worker.create({
  connection,
  namespace: settings.namespace,
  taskQueue: QUEUE,
  workflowsPath: fileURLToPath(new URL('workflows.ts', import.meta.url)),
  activities: { nothing: () => Promise.resolve() },
});
const shapes = {
  conversations: async (workflowId: string) => {
    const handle = await client.workflow.start(plainConversation, { workflowId, taskQueue: QUEUE });
    await handle.signal(rung);
    await handle.result();
  },
  turns: async (workflowId: string) => {
    const handle = await client.workflow.signalWithStart(plainTurn, {
      workflowId,
      taskQueue: QUEUE,
      signal: rung,
    });
    await handle.result();
  },
};
const plain = await worker.runUntil(async () => ({
  conversations: await perSecond('conversation', shapes.conversations),
  turns: await perSecond('turn', shapes.turns),
}));
process.stdout.write(`${JSON.stringify({ plain })}\n`);
await connection.close();

/** How many of them end a second, with so many under way; the first fifth of the time warms up. */
async function perSecond(name: string, run: (id: string) => Promise<void>): Promise<number> {
  const from = performance.now() + settings.seconds * 200;
  const until = from + settings.seconds * 800;
  let next = 0;
  let ended = 0;
  const loop = async (): Promise<void> => {
    while (performance.now() < until) {
      await run(`${name}-${next++}`);
      const now = performance.now();
      if (now >= from && now < until) ended += 1;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  return ended / (settings.seconds * 0.8);
}
