// Every verb of lamp, in the order of its help. A verb that is short for an operation needs its name here and nothing
// else: arguments, options and help come from the catalogue. Operations without a verb are reached with `lamp run`.
import type { VerbEntry } from './verb.ts';

function shortFor(
  verb: string,
  operation: string,
  usage: string,
  example: string,
  together?: string,
): VerbEntry {
  return {
    verb,
    usage,
    operation,
    ...(together === undefined ? {} : { together }),
    load: async () => (await import('./operation/operation-verb.ts')).operationVerb(operation, example),
  };
}

const START_STOP = 'Start a service until it is healthy, or stop it';
const RESTART = 'Restart a service, or reload its configuration';
const COMMANDS = 'List commands, show one, or stop and undo one';
const DATABASE = "Show PostgreSQL's connections and its sessions";
const DISK = 'Show what fills the disks, or remove old files';
const JOBS = 'List the jobs that are stuck, or reset them';
const INCIDENTS = 'List or show open incidents, or acknowledge one';
const BACKUPS = 'List backups and their proof, or verify one';
const TRAIL = 'Show who did what, or list and revoke tokens';
const OPERATIONS = 'List every operation, or run one by its name';

export const VERBS: readonly VerbEntry[] = [
  {
    verb: 'status',
    usage: '',
    summary: 'Show hosts, services, checks, alerts and backups',
    load: () => import('./status.ts'),
  },
  shortFor('start', 'service.start', 'SERVICE', 'lamp start web', START_STOP),
  shortFor('stop', 'service.stop', 'SERVICE', 'lamp stop web', START_STOP),
  shortFor('restart', 'service.restart', 'SERVICE', 'lamp restart web', RESTART),
  shortFor('reload', 'service.reload', 'SERVICE', 'lamp reload web', RESTART),
  { verb: 'logs', usage: 'SERVICE [-f]', operation: 'service.logs', load: () => import('./service/logs.ts') },
  {
    verb: 'check',
    usage: '[--now]',
    summary: 'Show the checks as last seen, or run them now',
    load: () => import('./checks.ts'),
  },
  {
    verb: 'alerts',
    usage: '[--all]',
    summary: 'List firing alerts and who was told',
    load: () => import('./alerts.ts'),
  },
  {
    verb: 'incidents',
    usage: '[ID]',
    together: INCIDENTS,
    summary: "List open incidents, or show one's timeline",
    load: () => import('./incidents.ts'),
  },
  {
    verb: 'ack',
    usage: '[ID]',
    together: INCIDENTS,
    summary: 'Acknowledge an incident',
    load: async () => ({ define: (await import('./incidents.ts')).defineAck }),
  },
  {
    verb: 'commands',
    usage: '[ID]',
    together: COMMANDS,
    summary: 'List the last commands, or show or wait for one',
    load: () => import('./command/commands.ts'),
  },
  {
    verb: 'cancel',
    usage: '[ID]',
    together: COMMANDS,
    summary: 'Stop a command and undo what can be undone',
    load: () => import('./command/cancel.ts'),
  },
  shortFor('connections', 'db.connections', '', 'lamp connections', DATABASE),
  shortFor('sessions', 'db.sessions', '', 'lamp sessions', DATABASE),
  shortFor('stuck', 'jobs.stuck', 'JOBS', 'lamp stuck etl', JOBS),
  shortFor('unstick', 'jobs.reset', 'JOBS', 'lamp unstick etl --dry-run', JOBS),
  shortFor('memory', 'memory.top', '', 'lamp memory'),
  shortFor('disk', 'disk.usage', '', 'lamp disk', DISK),
  shortFor('clean', 'disk.clean', 'WHAT', 'lamp clean logs --dry-run', DISK),
  shortFor('deploy', 'deploy.run', 'DEPLOYMENT REF', 'lamp deploy engines v1.4.0'),
  shortFor('backup', 'backup.run', '', 'lamp backup'),
  {
    verb: 'backups',
    usage: '',
    together: BACKUPS,
    summary: 'List backups and whether each is verified',
    load: () => import('./backup/backups.ts'),
  },
  {
    verb: 'verify',
    usage: '[ID|latest]',
    together: BACKUPS,
    summary: 'Verify a backup from what is in the bucket',
    load: () => import('./backup/verify.ts'),
  },
  {
    verb: 'restore',
    usage: '[ID|latest]',
    operation: 'restore.run',
    load: () => import('./backup/restore.ts'),
  },
  {
    verb: 'kept',
    usage: '[forget DATABASE]',
    operation: 'restore.kept',
    load: () => import('./backup/kept.ts'),
  },
  {
    verb: 'runbook',
    usage: 'ACTION',
    summary: 'Check, apply or print the runbook',
    load: () => import('./runbook.ts'),
  },
  {
    verb: 'audit',
    usage: '',
    together: TRAIL,
    summary: 'Show who did what, and what was denied',
    load: () => import('./audit.ts'),
  },
  {
    verb: 'tokens',
    usage: '',
    together: TRAIL,
    summary: 'List tokens and their last use, or end one',
    load: () => import('./tokens.ts'),
  },
  {
    verb: 'operations',
    usage: '',
    together: OPERATIONS,
    summary: 'List every operation with its parameters',
    load: () => import('./operation/operations.ts'),
  },
  {
    verb: 'run',
    usage: 'OPERATION …',
    together: OPERATIONS,
    summary: 'Run any operation',
    load: () => import('./operation/run.ts'),
  },
];
