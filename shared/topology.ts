// What exists in a deployment besides code: entry points, topics, subscriptions, schedules, identities. The local stack
// starts from this table, and a contract test holds terraform/ against it.

/** Environment variables an entry point may demand; `functions/config.ts` parses them. */
export type FunctionVariable =
  | 'DATABASE_URL'
  | 'SIGN_URL'
  | 'SIGNING_KEY'
  | 'OIDC_AUDIENCE'
  | 'OIDC_CALLERS'
  | 'SMTP_URL'
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
  | 'live';

export interface EntryPoint {
  name: EntryPointName;
  /** Who may invoke it: everyone (it authenticates by itself), or the named service accounts with an OIDC token. */
  callers: 'public' | readonly ServiceAccount[];
  variables: readonly FunctionVariable[];
}

/** Service accounts by their short names; one per function, and one for each of Google's callers. */
export type ServiceAccount = EntryPointName | 'scheduler' | 'push' | 'events';

export const ENTRY_POINTS: readonly EntryPoint[] = [
  {
    name: 'api',
    callers: 'public',
    variables: ['DATABASE_URL', 'SIGN_URL', 'WEBHOOK_SECRETS', 'LIVE_URL', 'API_URL', 'BACKUP_BUCKET'],
  },
  { name: 'live', callers: 'public', variables: ['DATABASE_URL'] },
  {
    name: 'sign',
    callers: ['api', 'watch', 'notify'],
    variables: ['DATABASE_URL', 'SIGNING_KEY', 'OIDC_AUDIENCE', 'OIDC_CALLERS'],
  },
  { name: 'report', callers: ['push'], variables: ['DATABASE_URL', 'OIDC_AUDIENCE', 'OIDC_CALLERS'] },
  {
    name: 'watch',
    callers: ['scheduler'],
    variables: ['DATABASE_URL', 'SIGN_URL', 'OIDC_AUDIENCE', 'OIDC_CALLERS', 'API_URL'],
  },
  {
    name: 'notify',
    callers: ['push'],
    variables: [
      'DATABASE_URL',
      'SIGN_URL',
      'OIDC_AUDIENCE',
      'OIDC_CALLERS',
      'SMTP_URL',
      'MAIL_FROM',
      'API_URL',
    ],
  },
  {
    name: 'verify-object',
    callers: ['events'],
    variables: ['DATABASE_URL', 'OIDC_AUDIENCE', 'OIDC_CALLERS', 'BACKUP_BUCKET'],
  },
  {
    name: 'verify',
    callers: ['push', 'scheduler'],
    variables: ['DATABASE_URL', 'OIDC_AUDIENCE', 'OIDC_CALLERS', 'BACKUP_BUCKET'],
  },
];

export const REPORTS_TOPIC = 'reports';
/** A report is no larger than this as JSON: a journal of 4 MiB (agent/operations/service.ts) and what stands around it. */
export const MAX_REPORT_BYTES = 6 * 1024 * 1024;
export const ALERTS_TOPIC = 'alerts';
export const VERIFICATIONS_TOPIC = 'verifications';
export const DEAD_LETTER_TOPIC = 'dead-letters';

/** Topic and subscription of a host's commands: one of each per host, so that IAM holds on both. */
export function commandsTopic(host: string): string {
  return `commands-${host}`;
}

/** Topics that are pushed to an entry point; the subscription has the topic's name. */
export const PUSH_ROUTES: readonly { topic: string; entryPoint: EntryPointName }[] = [
  { topic: REPORTS_TOPIC, entryPoint: 'report' },
  { topic: ALERTS_TOPIC, entryPoint: 'notify' },
  { topic: VERIFICATIONS_TOPIC, entryPoint: 'verify' },
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
