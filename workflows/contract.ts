/**
 * The face of the workflows: their names, ids, inputs, signals, updates and task queues. Everything
 * here carries ids only; texts, names and numbers stay in Postgres.
 */
import { defineSearchAttributeKey } from '@temporalio/common';
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { HeldMonth } from '../domain/retention.ts';

/** Workflows and the activities beside them. */
export const ENGINE_QUEUE = 'engine';
/** The slices that send a pool's texts, apart so that a burst cannot delay a turn. */
export const SENDING_QUEUE = 'sending';
/** Whole files, in and out, and archives, apart because they take minutes. */
export const FILES_QUEUE = 'files';

export const CAMPAIGN_WORKFLOW = 'campaignWorkflow';
export const SENDER_POOL_WORKFLOW = 'senderPoolWorkflow';
export const CONVERSATION_WORKFLOW = 'conversationWorkflow';
export const IMPORT_WORKFLOW = 'importWorkflow';
export const EXPORT_WORKFLOW = 'exportWorkflow';
export const MAINTENANCE_WORKFLOW = 'maintenanceWorkflow';
export const ARCHIVE_WORKFLOW = 'archiveWorkflow';

export interface CampaignInput {
  readonly campaignId: string;
}

export interface SenderPoolInput {
  readonly poolId: string;
}

export interface ConversationInput {
  readonly conversationId: string;
}

export interface ImportInput {
  readonly importId: string;
}

export interface ExportInput {
  readonly exportId: string;
}

export const MAINTENANCE_JOBS = [
  'reconcile',
  'fill-inbound-gaps',
  'fold-counters',
  'housekeeping',
] as const;
export type MaintenanceJob = (typeof MAINTENANCE_JOBS)[number];

export interface MaintenanceInput {
  readonly job: MaintenanceJob;
}

/** Empty for a new run; what a run before has done, where this one goes on for it. */
export interface ArchiveInput {
  /** ISO 8601. */
  readonly startedAt?: string;
  readonly done?: Readonly<Record<string, number>>;
}

/** What a run did, and what stays though it is old. */
export interface ArchiveResult {
  readonly startedAt: string;
  readonly done: Readonly<Record<string, number>>;
  readonly held: readonly HeldMonth[];
  readonly problem: string | null;
}

/** The one doorbell of every workflow: "look at the rows again". It carries nothing. */
export const ringSignal = defineSignal('ring');

/** Changes a campaign's own rate; its validator refuses what no sender could do. */
export const setRateUpdate = defineUpdate<SetRateResult, [SetRateInput]>('setRate');

export interface SetRateInput {
  /** Segments a second, above 0 and at most 10,000. */
  readonly segmentsPerSecond: number;
}

export interface SetRateResult {
  readonly segmentsPerSecond: number;
}

/** Both are ids or closed words, so operators can filter workflows by campaign. */
export const CAMPAIGN_ID = defineSearchAttributeKey('GwCampaignId', 'KEYWORD');
export const CAMPAIGN_STATE = defineSearchAttributeKey('GwCampaignState', 'KEYWORD');
export const SEARCH_ATTRIBUTE_NAMES = ['GwCampaignId', 'GwCampaignState'] as const;

export function campaignWorkflowId(campaignId: string): string {
  return `campaign/${campaignId}`;
}

export function senderPoolWorkflowId(poolId: string): string {
  return `sender-pool/${poolId}`;
}

export function conversationWorkflowId(conversationId: string): string {
  return `conversation/${conversationId}`;
}

export function importWorkflowId(importId: string): string {
  return `import/${importId}`;
}

export function exportWorkflowId(exportId: string): string {
  return `export/${exportId}`;
}

export function maintenanceScheduleId(job: MaintenanceJob): string {
  return `maintenance/${job}`;
}

/** The workflow of the schedule that takes old months out of the ledger. */
export const ARCHIVE_SCHEDULE_ID = 'maintenance/archive';
