import { createCampaignActivities } from './campaigns.ts';
import { createConversationActivities } from './conversations.ts';
import type { ActivityDeps } from './deps.ts';
import { createImportActivities } from './imports.ts';
import { createMaintenanceActivities } from './maintenance.ts';
import { createSendingActivities } from './sending.ts';

export type { ActivityDeps } from './deps.ts';

/** Activities of the engine queue. */
export function createEngineActivities(deps: ActivityDeps) {
  const { sendMessage } = createSendingActivities(deps);
  return {
    ...createCampaignActivities(deps),
    ...createConversationActivities(deps),
    ...createImportActivities(deps),
    ...createMaintenanceActivities(deps),
    sendMessage,
  };
}

/** Activities of the sending queue. */
export function createPoolActivities(deps: ActivityDeps) {
  const { sendPlanned } = createSendingActivities(deps);
  return { sendPlanned };
}

export type EngineActivities = ReturnType<typeof createEngineActivities>;
export type PoolActivities = ReturnType<typeof createPoolActivities>;
