export { archiveWorkflow } from './archive.ts';
export { campaignWorkflow } from './campaign.ts';
export { conversationWorkflow } from './conversation.ts';
export { exportWorkflow } from './export.ts';
export { importWorkflow } from './import.ts';
export { maintenanceWorkflow } from './maintenance.ts';
export { senderPoolWorkflow } from './sender-pool.ts';
