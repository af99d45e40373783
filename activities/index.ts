import { createArchiveActivities } from './archives.ts';
import { createCampaignActivities } from './campaigns.ts';
import { createConversationActivities } from './conversations.ts';
import type { ActivityDeps } from './deps.ts';
import { createExportActivities } from './exports.ts';
import { guardActivities } from './guard.ts';
import { createImportActivities } from './imports.ts';
import { createMaintenanceActivities } from './maintenance.ts';
import { createSendingActivities } from './sending.ts';

export type { ActivityDeps } from './deps.ts';

/** The activities of a worker process, by the task queue that they are for: they share what the process knows. */
export function createActivities(deps: ActivityDeps) {
  const { sendMessage, sendPlanned } = createSendingActivities(deps);
  const { archiveRound, noteHousekeeping } = createArchiveActivities(deps);
  const engine = {
    ...createCampaignActivities(deps),
    ...createConversationActivities(deps),
    ...createMaintenanceActivities(deps),
    sendMessage,
    noteHousekeeping,
  };
  const files = { ...createImportActivities(deps), ...createExportActivities(deps), archiveRound };
  return {
    engine: guardActivities(engine, deps.log),
    sending: guardActivities({ sendPlanned }, deps.log),
    files: guardActivities(files, deps.log),
  };
}

type Activities = ReturnType<typeof createActivities>;
export type EngineActivities = Activities['engine'];
export type PoolActivities = Activities['sending'];
export type FileActivities = Activities['files'];
