/** Recovery after a restore, as a command of its own: it reads and writes rows, and sends nothing. */
import { recoverDeployment } from '../activities/recovery.ts';
import { createSockets } from '../activities/sockets.ts';
import { enterSafeMode } from '../db/deployment.ts';
import { readConfig } from '../runtime/config.ts';
import { createRuntime } from '../runtime/runtime.ts';
import { activityDeps } from './engine.ts';

/** Recovers the deployment, from `since` where nobody noticed the restore by itself. */
export async function runRecover(since: Date | null, print: (line: string) => void): Promise<void> {
  const runtime = createRuntime(readConfig(), 'recover');
  try {
    if (since !== null) await enterSafeMode(runtime.engine, since);
    const report = await recoverDeployment(
      // Nothing is sent: no socket is ever free.
      { ...activityDeps(runtime, () => new Date(0)), sockets: createSockets(0) },
      print,
    );
    print(
      report === null
        ? 'The deployment is not in safe mode: there is nothing to recover. If the database was restored and nobody noticed, say since when: npm start -- recover --since 2026-01-31T12:00:00Z'
        : describe(report),
    );
    if (report !== null && report.failed.length > 0)
      throw new Error('Some accounts were not recovered. Repair them, then run recover again.');
  } finally {
    await runtime.close();
  }
}

function describe(report: NonNullable<Awaited<ReturnType<typeof recoverDeployment>>>): string {
  return [
    `Recovered ${report.accounts} accounts${report.epoch === null ? '' : `; epoch ${report.epoch}`}. Workers claim again.`,
    ...report.failed.map((id) => `  NOT recovered, and closed until it is: account ${id}`),
    `  ${report.inbound} texts from people were stored, stops first`,
    `  ${report.adopted} sent texts were recognised: they are not sent again`,
    `  ${report.unexplained} sent texts were not: ${report.peopleToReview} people are kept back until you lift their suppression (reason recovery_review)`,
    `  ${report.doubted} texts of the backup are unknown now: reconcile settles them by each campaign's policy`,
  ].join('\n');
}
