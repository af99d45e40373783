/** A whole campaign against simulated people, on this machine: `npm run demo`. */
import { existsSync } from 'node:fs';
import { DEMO_HELP, parseDemoArgs, type DemoArgs } from './demo-args.ts';
import { runDemo } from './demo-run.ts';
import { openSession, startStack } from './stack.ts';
import { createSupervisor, runSupervised } from './supervisor.ts';
import { openWorkspace } from './workspace.ts';

async function main(): Promise<number> {
  const args = parseDemoArgs(process.argv.slice(2), process.env['INIT_CWD'] ?? process.cwd());
  if (args.help) {
    process.stdout.write(DEMO_HELP);
    return 0;
  }
  if (args.contacts !== null && !existsSync(args.contacts)) {
    throw new Error(`There is no file ${args.contacts}.`);
  }
  return start(args);
}

async function start(args: DemoArgs): Promise<number> {
  const isTerminal = process.stdout.isTTY && !args.exit;
  const terminal = {
    isLive: isTerminal,
    hasColours: isTerminal && (process.env['NO_COLOR'] ?? '') === '',
    columns: () => process.stdout.columns || 80,
    write: (text: string) => void process.stdout.write(text),
  };
  const say = (line: string): void => terminal.write(`${line}\n`);
  // The demo texts simulated people only, whatever account the environment names.
  const { TWILIO_ACCOUNT_SID: _sid, TWILIO_AUTH_TOKEN: _token, ...environment } = process.env;
  const session = await openSession(environment, 'cli/demo.ts');
  const supervisor = createSupervisor({ folder: session.folder, say });
  try {
    return await runSupervised(supervisor, {
      say,
      body: async (signal) => {
        const startedAt = Date.now();
        say('Starting Postgres, Temporal, the simulator, the API and a worker ...');
        const stack = await startStack({ supervisor, session, environment, say });
        const workspace = await openWorkspace(stack, session.folder);
        say(
          `Ready in ${((Date.now() - startedAt) / 1_000).toFixed(1)} s. API docs: ${stack.apiUrl}/docs, Temporal UI: ${stack.temporalUiUrl}`,
        );
        const isRight = await runDemo({
          args,
          stack,
          workspace,
          folder: session.folder,
          terminal,
          signal,
        });
        if (!args.keep) {
          say('Everything stops now; --keep leaves it up.');
          return isRight ? 0 : 1;
        }
        say(`API key       ${workspace.apiKey}`);
        say('Everything stays up. Ctrl-C stops it.');
        return new Promise<number>(() => {});
      },
    });
  } finally {
    session.release();
  }
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
