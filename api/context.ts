import { OpenAPIHono } from '@hono/zod-openapi';
import { SCOPES, type Caller, type Scope } from '../db/api-keys.ts';
import { forOrg, type Database, type TenantDatabase } from '../db/client.ts';
import type { Archives } from '../db/archived-texts.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';
import { invalidRequest } from './errors.ts';

/** Writes structured lines; pino's logger is one. */
export interface ApiLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Everything the API needs, handed in by whoever starts it. */
export interface ApiDeps {
  /** Connects as gw_api: row-level security shows it one org at a time. */
  readonly apiDatabase: Database;
  /** Connects as gw_engine: only key look-up and what a stop needs. */
  readonly engineDatabase: Database;
  readonly temporal: {
    /** Runs the campaign's setRate update; throws the Temporal client's errors. */
    updateCampaignRate(
      campaignId: string,
      segmentsPerSecond: number,
    ): Promise<{ readonly segmentsPerSecond: number }>;
  };
  /** Encrypts a secret at rest. */
  seal(plain: string): { readonly sealed: Uint8Array; readonly keyId: string };
  /** Whether a provider can list what it was asked to send; default: yes. */
  listsSentTexts?(provider: string): boolean;
  /** Where files of archives are kept; an org reads the keys that its manifest names. */
  readonly storage: ObjectStorage;
  readonly log: ApiLog;
  readonly settings: {
    readonly publicUrl: string;
    readonly temporalUiUrl: string;
    readonly temporalNamespace: string;
    readonly maxUploadBytes: number;
    /** Conversation workflows that first texts may start a second. */
    readonly startsPerSecond: number;
  };
  readonly mountWebhooks?: (app: OpenAPIHono<ApiEnv>) => void;
  /** What must work for requests to be taken, by name. */
  ready(): Promise<Record<string, boolean>>;
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** Called after a commit that wrote the outbox. */
  notify(): void;
  readonly now?: () => Date;
}

export interface ApiEnv {
  Variables: { requestId: string; caller: Caller };
}

/** A context as far as helpers look into it. */
export interface HasCaller {
  readonly var: { readonly caller: Caller };
}

/** Makes the router of one resource; what its schemas refuse becomes a problem. */
export function createRouter(): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error);
    },
  });
}

/** The database as the caller's org sees it. */
export function tenantOf(deps: Pick<ApiDeps, 'apiDatabase'>, c: HasCaller): TenantDatabase {
  return forOrg(deps.apiDatabase, c.var.caller.orgId);
}

/** Texts as the caller's org sees them, archived ones among them. */
export function archivesOf(deps: Pick<ApiDeps, 'apiDatabase' | 'storage'>, c: HasCaller): Archives {
  return { reader: tenantOf(deps, c), storage: deps.storage };
}

/** Who is noted in the audit log. */
export function actorOf(c: HasCaller): string {
  return `key:${c.var.caller.keyId}`;
}

/** Whether a key may do what needs this scope: admin includes write, write includes read. */
export function hasScope(caller: Caller, needed: Scope): boolean {
  const rank = Math.max(...caller.scopes.map((scope) => SCOPES.indexOf(scope)));
  return rank >= SCOPES.indexOf(needed);
}
