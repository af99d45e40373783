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

/** Activities of the engine queue. */
export function createEngineActivities(deps: ActivityDeps) {
  const { sendMessage } = createSendingActivities(deps);
  const { noteHousekeeping } = createArchiveActivities(deps);
  const activities = {
    ...createCampaignActivities(deps),
    ...createConversationActivities(deps),
    ...createMaintenanceActivities(deps),
    sendMessage,
    noteHousekeeping,
  };
  return guardActivities(activities, deps.log);
}

/** Activities of the sending queue. */
export function createPoolActivities(deps: ActivityDeps) {
  const { sendPlanned } = createSendingActivities(deps);
  return guardActivities({ sendPlanned }, deps.log);
}

/** Activities of the files queue. */
export function createFileActivities(deps: ActivityDeps) {
  const { archiveRound } = createArchiveActivities(deps);
  const activities = {
    ...createImportActivities(deps),
    ...createExportActivities(deps),
    archiveRound,
  };
  return guardActivities(activities, deps.log);
}

export type EngineActivities = ReturnType<typeof createEngineActivities>;
export type FileActivities = ReturnType<typeof createFileActivities>;
export type PoolActivities = ReturnType<typeof createPoolActivities>;
