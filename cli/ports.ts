import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULTS = {
  API_PORT: 8080,
  TEMPORAL_PORT: 7233,
  TEMPORAL_UI_PORT: 8233,
  POSTGRES_PORT: 54_329,
  SIMULATOR_PORT: 8090,
} as const;

/** The variables by which dev and demo choose their ports. */
export type PortVariable = keyof typeof DEFAULTS;
export type Ports = Readonly<Record<PortVariable, number>>;

const portSchema = z.coerce.number().int().min(1).max(65_535);

/** Reads the ports from the environment; throws one error that names every wrong one. */
export function readPorts(environment: Environment): Ports {
  const problems: string[] = [];
  const entries = Object.entries(DEFAULTS).map(([variable, fallback]) => {
    const given = environment[variable];
    const parsed = portSchema.safeParse(given === undefined || given === '' ? fallback : given);
    if (!parsed.success) problems.push(`${variable} is "${given}": must be a port from 1 to 65535`);
    return [variable, parsed.data ?? fallback];
  });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return Object.fromEntries(entries) as Ports;
}

/**
 * Makes sure that the ports are free, before anything starts. After a killed run its last processes
 * may still be ending: `patienceMs` waits for them.
 */
export async function requireFreePorts(
  ports: Ports,
  variables: readonly PortVariable[],
  patienceMs: number,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const states = await Promise.all(
      variables.map(async (variable) => ({ variable, isFree: await isFree(ports[variable]) })),
    );
    const taken = states.filter((state) => !state.isFree).map(({ variable }) => variable);
    if (taken.length === 0) return;
    if (Date.now() >= deadline) throw new Error(describeTaken(ports, taken));
    await sleep(200);
  }
}

function describeTaken(ports: Ports, taken: readonly PortVariable[]): string {
  return taken
    .map((variable) => `Port ${ports[variable]} is taken. Set ${variable} to another.`)
    .join('\n');
}

/** Whether nothing listens on a port of this machine. */
export async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)));
  });
}
