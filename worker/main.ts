/** The process that runs workflows and activities; any number of them, on any host. */
import { createServer } from 'node:http';
import { Runtime as TemporalRuntime, DefaultLogger } from '@temporalio/worker';
import { readConfig } from '../runtime/config.ts';
import { createRuntime, type Runtime } from '../runtime/runtime.ts';
import { stopSignal } from '../runtime/stop-signal.ts';
import { connectWorker } from '../runtime/temporal.ts';
import { createEngine } from './engine.ts';
import { adoptStore, createHeart } from './heart.ts';
import { isMain } from '../runtime/is-main.ts';

const CONNECT_AGAIN_MS = 1_000;

/** Runs a worker until it is told to stop. */
export async function runWorker(): Promise<void> {
  const config = readConfig();
  const runtime = createRuntime(config, 'worker');
  const { log } = runtime;
  TemporalRuntime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) =>
      log.warn(
        { level, error: meta?.['error'] === undefined ? undefined : String(meta['error']) },
        message,
      ),
    ),
    shutdownSignals: [],
  });
  const stopped = stopSignal();
  const isStopped = stopped.then(() => null);
  const temporal = await Promise.race([connectPatiently(runtime), isStopped]);
  // Asked to end before anything began: what still waits for an answer ends with the process.
  if (temporal === null) return process.exit(0);
  await adoptStore(runtime, temporal);
  const heart = createHeart(runtime, temporal);
  // Before anything is claimed: the database may have been restored.
  if ((await Promise.race([heart.start().then(() => true), isStopped])) === null)
    return process.exit(0);
  const engine = await createEngine(runtime, temporal, heart.knownBeat);
  const metrics = serveMetrics(runtime);
  const running = engine.run();
  log.info({ queues: config.WORKER_QUEUES }, 'worker ready');
  process.stdout.write(`${JSON.stringify({ worker: 'ready', pid: process.pid })}\n`);
  await Promise.race([stopped, running]);
  log.info({}, 'worker stopping');
  heart.stop();
  await engine.stop();
  await running;
  await engine.flush();
  metrics?.close();
  await temporal.connection.close();
  await runtime.close();
}

/** Temporal may come up after us; nothing is lost by waiting. */
async function connectPatiently(runtime: Runtime): ReturnType<typeof connectWorker> {
  for (;;) {
    try {
      return await connectWorker(runtime.config);
    } catch (error) {
      runtime.log.warn(
        { error: String(error), address: runtime.config.TEMPORAL_ADDRESS },
        'Temporal does not answer yet',
      );
      await new Promise((resolve) => setTimeout(resolve, CONNECT_AGAIN_MS));
    }
  }
}

function serveMetrics(runtime: Runtime): ReturnType<typeof createServer> | null {
  if (runtime.config.METRICS_PORT === 0) return null;
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(request.url === '/healthz' ? 200 : 404).end();
      return;
    }
    runtime.metrics.read().then(
      ({ contentType, body }) => response.writeHead(200, { 'content-type': contentType }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  return server.listen(runtime.config.METRICS_PORT, runtime.config.HOST);
}

if (isMain(import.meta.url)) await runWorker();
