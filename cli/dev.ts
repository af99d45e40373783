/** Everything on this machine, until Ctrl-C: `npm run dev`. */
import { keySchema } from './demo-client.ts';
import { openSession, startStack, type Stack } from './stack.ts';
import { createSupervisor, runSupervised } from './supervisor.ts';
import { connectInbound, openWorkspace, type Workspace } from './workspace.ts';

const DEV_POOL = { senders: 20, segmentsPerSecond: 10 };

async function main(): Promise<number> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const environment = process.env;
  const session = await openSession(environment, 'cli/dev.ts');
  const supervisor = createSupervisor({ folder: session.folder, say });
  try {
    return await runSupervised(supervisor, {
      say,
      body: async () => {
        say('Starting Postgres, Temporal, the API and a worker ...');
        const stack = await startStack({ supervisor, session, environment, say });
        const workspace = await openWorkspace(stack, session.folder);
        if (stack.simulatorUrl !== null) await connectInbound(stack, workspace.inboundUrl);
        const poolId =
          stack.simulatorUrl === null ? null : await workspace.findOrCreatePool(DEV_POOL);
        const name = `dev ${new Date().toISOString()}`;
        const scopes = ['read', 'write', 'admin'];
        const { key } = await workspace.api.post('/v1/keys', keySchema, { name, scopes });
        for (const line of describe({ stack, workspace, poolId, key, folder: session.folder }))
          say(line);
        return new Promise<number>(() => {});
      },
    });
  } finally {
    session.release();
  }
}

function describe(ready: {
  readonly stack: Stack;
  readonly workspace: Workspace;
  readonly poolId: string | null;
  readonly key: string;
  readonly folder: string;
}): string[] {
  const { stack, workspace, poolId, key, folder } = ready;
  return [
    '',
    `API docs      ${stack.apiUrl}/docs`,
    `Temporal UI   ${stack.temporalUiUrl}`,
    stack.simulatorUrl === null
      ? `Texts         go to Twilio for real; set each number's webhook to ${workspace.inboundUrl}`
      : `Simulator     ${stack.simulatorUrl}/simulator/state (no text leaves this machine)`,
    `Logs          ${folder}/logs`,
    `API key       ${key}`,
    `Org           ${workspace.orgId}`,
    `Account       ${workspace.accountId}`,
    ...(poolId === null ? [] : [`Sender pool   ${poolId} (20 senders, 10 segments/s each)`]),
    '',
    `Try           curl -H 'Authorization: Bearer ${key}' ${stack.apiUrl}/v1/me`,
    'Ctrl-C stops everything.',
  ];
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
