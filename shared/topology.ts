// What exists in a deployment besides code: entry points, topics, subscriptions, schedules, identities. The local stack
// starts from this table, and a contract test holds terraform/ against it.

import { LamplighterError } from './errors.ts';

/** Environment variables that an entry point demands; `functions/config.ts` parses them. */
export type FunctionVariable =
  | 'DATABASE_URL'
  | 'OWNER_DATABASE_URL'
  | 'SIGN_URL'
  | 'SIGNING_KEY'
  | 'SIGNING_PUBLIC_KEYS'
  | 'OIDC_AUDIENCE'
  | 'OIDC_CALLERS'
  | 'CHANNEL_SECRETS'
  | 'MAIL_FROM'
  | 'BACKUP_BUCKET'
  | 'WEBHOOK_SECRETS'
  | 'LIVE_URL'
  | 'API_URL';

export type EntryPointName =
  | 'api'
  | 'sign'
  | 'report'
  | 'watch'
  | 'notify'
  | 'verify-object'
  | 'verify'
  | 'live'
  | 'admin';

export interface EntryPoint {
  name: EntryPointName;
  /** Who may invoke it: everyone (it authenticates by itself), or the named service accounts with an OIDC token. */
  callers: 'public' | readonly ServiceAccount[];
  variables: readonly FunctionVariable[];
  /** Instances at most. */
  instances: number;
  /** Requests that an instance works on at once. */
  concurrency: number;
  /** Connections that an instance holds to the database at most; `connectionsAtMost` counts them together. */
  connections: { pool: 1 | 2; listener?: 1 };
}

/** Service accounts by their short names; one per function, and one for each of those who call from outside. */
export type ServiceAccount = EntryPointName | 'scheduler' | 'push' | 'deployer';

/** People that one instance of `live` serves at once. */
export const MAX_LIVE_SESSIONS = 200;
/** The person and the agent. */
const CONNECTIONS_PER_LIVE_SESSION = 2;

const CONCURRENCY = 20;

export const ENTRY_POINTS: readonly EntryPoint[] = [
  {
    name: 'api',
    callers: 'public',
    variables: ['DATABASE_URL', 'SIGN_URL', 'WEBHOOK_SECRETS', 'LIVE_URL', 'API_URL', 'BACKUP_BUCKET'],
    instances: 2,
    concurrency: CONCURRENCY,
    connections: { pool: 2, listener: 1 },
  },
  {
    name: 'live',
    callers: 'public',
    variables: ['DATABASE_URL'],
    // It pairs two connections, so there is one instance.
    instances: 1,
    concurrency: MAX_LIVE_SESSIONS * CONNECTIONS_PER_LIVE_SESSION,
    connections: { pool: 1 },
  },
  {
    name: 'sign',
    callers: ['api', 'watch', 'notify'],
    variables: ['DATABASE_URL', 'SIGNING_KEY', 'OIDC_AUDIENCE', 'OIDC_CALLERS', 'BACKUP_BUCKET'],
    instances: 2,
    concurrency: CONCURRENCY,
    connections: { pool: 1 },
  },
  {
    name: 'report',
    callers: ['push'],
    variables: ['DATABASE_URL', 'OIDC_AUDIENCE', 'OIDC_CALLERS'],
    instances: 2,
    concurrency: CONCURRENCY,
    connections: { pool: 1 },
  },
  {
    name: 'watch',
    callers: ['scheduler'],
    variables: ['DATABASE_URL', 'SIGN_URL', 'OIDC_AUDIENCE', 'OIDC_CALLERS', 'API_URL'],
    instances: 1,
    concurrency: CONCURRENCY,
    connections: { pool: 2 },
  },
  {
    name: 'notify',
    callers: ['push'],
    variables: [
      'DATABASE_URL',
      'SIGN_URL',
      'OIDC_AUDIENCE',
      'OIDC_CALLERS',
      'CHANNEL_SECRETS',
      'MAIL_FROM',
      'API_URL',
    ],
    instances: 2,
    concurrency: CONCURRENCY,
    connections: { pool: 1 },
  },
  {
    name: 'verify-object',
    callers: ['push'],
    variables: ['DATABASE_URL', 'OIDC_AUDIENCE', 'OIDC_CALLERS', 'BACKUP_BUCKET'],
    instances: 1,
    concurrency: CONCURRENCY,
    connections: { pool: 1 },
  },
  {
    name: 'verify',
    callers: ['push', 'scheduler'],
    variables: ['DATABASE_URL', 'OIDC_AUDIENCE', 'OIDC_CALLERS', 'BACKUP_BUCKET', 'SIGNING_PUBLIC_KEYS'],
    instances: 2,
    concurrency: CONCURRENCY,
    connections: { pool: 1 },
  },
  {
    name: 'admin',
    callers: ['deployer'],
    variables: [
      'DATABASE_URL',
      'OWNER_DATABASE_URL',
      'OIDC_AUDIENCE',
      'OIDC_CALLERS',
      'BACKUP_BUCKET',
      'SIGNING_PUBLIC_KEYS',
    ],
    instances: 1,
    concurrency: 1,
    connections: { pool: 1 },
  },
];

/** The entry point of this name. */
export function findEntryPoint(name: EntryPointName): EntryPoint {
  const found = ENTRY_POINTS.find((entryPoint) => entryPoint.name === name);
  if (!found) throw new LamplighterError('internal', `find entry point ${name}: the topology has none`);
  return found;
}

/** Connections of the smallest Cloud SQL instance, db-f1-micro (cloud.google.com/sql/docs/postgres/quotas). */
export const DATABASE_CONNECTIONS = {
  limit: 25,
  /** PostgreSQL keeps 3 for superusers; Cloud SQL's own agents hold a few. */
  reserved: 6,
} as const;

/** Connections of the functions when each has as many instances as it may. */
export function connectionsAtMost(): number {
  return ENTRY_POINTS.reduce(
    (sum, { instances, connections }) => sum + instances * (connections.pool + (connections.listener ?? 0)),
    0,
  );
}

// Topics bear our name: a project may have others that are called `alerts`.
export const REPORTS_TOPIC = 'lamplighter-reports';
/** A report is no larger than this as JSON: a journal of 4 MiB (agent/operations/service.ts) and what stands around it. */
export const MAX_REPORT_BYTES = 6 * 1024 * 1024;
export const ALERTS_TOPIC = 'lamplighter-alerts';
export const VERIFICATIONS_TOPIC = 'lamplighter-verifications';
/** Cloud Storage tells here of objects that were finalised in the backup bucket. */
export const OBJECTS_TOPIC = 'lamplighter-objects';
export const DEAD_LETTER_TOPIC = 'lamplighter-dead-letters';

/** Topic and subscription of a host's commands: one of each per host, so that IAM holds on both. */
export function commandsTopic(host: string): string {
  return `lamplighter-commands-${host}`;
}

/** Topics that are pushed to an entry point; the subscription has the topic's name. */
export const PUSH_ROUTES: readonly { topic: string; entryPoint: EntryPointName }[] = [
  { topic: REPORTS_TOPIC, entryPoint: 'report' },
  { topic: ALERTS_TOPIC, entryPoint: 'notify' },
  { topic: VERIFICATIONS_TOPIC, entryPoint: 'verify' },
  { topic: OBJECTS_TOPIC, entryPoint: 'verify-object' },
];

/** Which entry points may publish to which topic. Besides them, hosts publish reports and Cloud Storage objects. */
export const PUBLISHERS: readonly { topic: string; entryPoints: readonly EntryPointName[] }[] = [
  { topic: ALERTS_TOPIC, entryPoints: ['api', 'notify', 'report', 'verify', 'watch'] },
  { topic: VERIFICATIONS_TOPIC, entryPoints: ['api', 'report', 'verify', 'verify-object', 'watch'] },
];

/** Terms of every subscription. The expiry is off: Google's default deletes a subscription after 31 idle days. */
export const SUBSCRIPTION_TERMS = {
  ackDeadlineS: 60,
  /** A push may work this long before it is sent again; Google's maximum. */
  pushAckDeadlineS: 600,
  retentionS: 24 * 60 * 60,
  maxDeliveryAttempts: 5,
  /** Pushes are retried more often before they are given up: a function may be down for a while. */
  pushMaxDeliveryAttempts: 100,
  minBackoffS: 10,
  maxBackoffS: 600,
} as const;

/** Cloud Scheduler's jobs, in UTC. */
export const SCHEDULES: readonly { name: string; entryPoint: EntryPointName; cron: string; body: string }[] =
  [
    { name: 'watch', entryPoint: 'watch', cron: '* * * * *', body: '{}' },
    { name: 'verify-daily', entryPoint: 'verify', cron: '0 5 * * *', body: '{"all":true}' },
  ];
