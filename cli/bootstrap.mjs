/**
 * The entry of every npm script. Plain JavaScript without dependencies, so that it runs in a fresh
 * clone: it installs what is missing, generates the database client, then starts the command.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const OLDEST_NODE = [20, 19];
const LOCK_STAMP = 'node_modules/.groundswell-lock';
const SCHEMA_STAMP = 'node_modules/.groundswell-schema';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** One Ctrl-C arrives twice, from the terminal and from npm. */
const SAME_SIGNAL_MS = 500;

const CHECKS = {
  oxfmt: ['node_modules/oxfmt/bin/oxfmt', '--check', '.'],
  oxlint: ['node_modules/oxlint/bin/oxlint', '--type-aware'],
  tsc: ['node_modules/typescript/bin/tsc', '-p', '.'],
  knip: ['node_modules/knip/bin/knip.js'],
};

const COMMANDS = {
  demo: (args) => runOurs('cli/demo.ts', args),
  dev: (args) => runOurs('cli/dev.ts', args),
  start: (args) => runOurs('cli/start.ts', args),
  test: runTests,
  check: runChecks,
  chaos: (args) => runOurs('test/chaos/main.ts', args),
  bench: (args) => runOurs('bench/main.ts', args),
};

const [name = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (command === undefined) {
  fail(`Unknown command "${name}". Choose one of: ${Object.keys(COMMANDS).join(', ')}.`);
}
// npm runs scripts in the project's folder; file arguments are meant from where the user stands.
process.env.INIT_CWD ??= process.cwd();
process.chdir(ROOT);
checkNode();
await installPackages();
generateClient();
process.exitCode = await command(args);

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  fail(
    `Groundswell needs Node ${oldestMajor}.${oldestMinor} or newer; this is ${process.versions.node}.\n` +
      'Install a current one from https://nodejs.org (or run `nvm install --lts`) and try again.',
  );
}

async function installPackages() {
  const wanted = hashOf('package-lock.json');
  if (readStamp(LOCK_STAMP) === wanted) return;
  const startedAt = Date.now();
  const isFirst = !existsSync('node_modules');
  say(
    `${isFirst ? 'Installing packages' : 'package-lock.json changed, installing packages again'} (npm ci, about a minute) ...`,
  );
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // npm's own words go to stderr: stdout belongs to the command.
  const code = await wait(
    spawn(npm, ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
    }),
  );
  if (code !== 0) {
    fail(
      'Could not install the packages: npm ci failed, its reason stands above.\n' +
        'Check the network and the npm registry (`npm ping`), then try again.',
    );
  }
  writeStamp(LOCK_STAMP, wanted);
  say(`Packages installed in ${seconds(startedAt)}.`);
}

function generateClient() {
  const wanted = hashOf('prisma/schema.prisma');
  if (existsSync('prisma/generated/client.ts') && readStamp(SCHEMA_STAMP) === wanted) return;
  const startedAt = Date.now();
  const result = spawnSync(process.execPath, ['node_modules/prisma/build/index.js', 'generate'], {
    encoding: 'utf8',
    // Generating does not run the schema engine, but would download it first where this is unset.
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: process.env.PRISMA_SCHEMA_ENGINE_BINARY ?? process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
    },
  });
  if (result.status !== 0) {
    fail(
      `Could not generate the database client (prisma generate):\n${result.stdout}${result.stderr}`,
    );
  }
  writeStamp(SCHEMA_STAMP, wanted);
  say(`Database client generated in ${seconds(startedAt)}.`);
}

function runTests(args) {
  mkdirSync('.data', { recursive: true });
  return run(
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      '--outputFile.json=.data/test-report.json',
      ...args,
    ],
    { TZ: 'UTC' },
  );
}

async function runChecks() {
  const startedAt = Date.now();
  const results = await Promise.all(
    Object.entries(CHECKS).map(async ([tool, command]) => {
      const child = spawn(process.execPath, command, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? '1' : '0' },
      });
      const output = [];
      child.stdout.on('data', (chunk) => output.push(chunk));
      child.stderr.on('data', (chunk) => output.push(chunk));
      const code = await wait(child);
      return { tool, code, text: Buffer.concat(output).toString('utf8').trim() };
    }),
  );
  for (const { tool, code, text } of results) {
    process.stdout.write(
      `${tool}: ${code === 0 ? 'ok' : 'FAILED'}\n${text === '' ? '' : `${text}\n`}`,
    );
  }
  const failed = results.filter(({ code }) => code !== 0).map(({ tool }) => tool);
  process.stdout.write(
    `check: ${failed.length === 0 ? 'all passed' : `failed: ${failed.join(', ')}`} in ${seconds(startedAt)}\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

/** Gives the child a channel, by whose end it notices that we were killed. */
function runOurs(file, args) {
  return run(['--import', 'tsx', file, ...args], {}, [0, 1, 2, 'ipc']);
}

/** Runs in a group of its own: the child gets each signal once, from us. */
function run(nodeArgs, extraEnvironment, stdio = 'inherit') {
  return wait(
    spawn(process.execPath, nodeArgs, {
      stdio,
      detached: process.platform !== 'win32',
      env: { ...process.env, ...extraEnvironment },
    }),
  );
}

/** Passes signals on; resolves with the child's exit code, 128 + n for a signal as shells do. */
function wait(child) {
  let passedAt = 0;
  const pass = (signal) => {
    if (Date.now() - passedAt < SAME_SIGNAL_MS) return;
    passedAt = Date.now();
    child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, pass);
  return new Promise((resolve) => {
    child.once('error', (error) => {
      say(`Could not start ${child.spawnfile}: ${error.message}`);
      resolve(1);
    });
    child.once('close', (code, signal) => {
      for (const each of SIGNALS) process.off(each, pass);
      resolve(code ?? { SIGHUP: 129, SIGINT: 130, SIGKILL: 137, SIGTERM: 143 }[signal] ?? 1);
    });
  });
}

function hashOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function readStamp(file) {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
}

function writeStamp(file, text) {
  writeFileSync(file, `${text}\n`);
}

function seconds(startedAt) {
  return `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
