// backup.* and restore.run: the database, its roles and the host's configuration files.

import * as z from 'zod';
import { LamplighterError } from '../errors.ts';
import { lookUp } from '../look-up.ts';
import { BackupId, DatabaseName, idTimeMs, Timestamp, UnitName } from '../names.ts';
import { POLICY_FILE, type Policy } from '../policy/policy.ts';
import { HealthCheck } from '../runbook/schema.ts';
import { ALLOWED, defineOperation, forbid, type PolicyVerdict, type ResolveContext } from './definition.ts';
import { findService, permitHealth } from './service.ts';

function backupTerms({ runbook }: ResolveContext) {
  if (runbook.backup) return runbook.backup;
  throw new LamplighterError('not-found', 'find backup settings: the runbook has no "backup" section', {
    hint: 'Add a "backup" section with host, database and schedule.',
  });
}

const NO_BACKUP = "the host's policy has no backup section";
const BACKUP_ENTRY = 'a "backup:" section (bucket, localDir, recipients, configPaths)';

/** A database must be listed for this use, and the policy must have a backup section. */
export function permitDatabase(database: string, use: 'backup' | 'restore', policy: Policy): PolicyVerdict {
  if (!policy.backup) return forbid('not-in-policy', NO_BACKUP, BACKUP_ENTRY);
  const known = lookUp(policy.databases, database);
  if (known?.allow.includes(use)) return ALLOWED;
  const detail = `the host's policy does not allow ${use} of database ${database}`;
  const entry = known
    ? `${use} to "allow:" of ${database} under "databases:"`
    : `"${database}: {allow: [${use}]}" under "databases:"`;
  return forbid('not-in-policy', detail, entry);
}

/** The recipients are the policy's alone; whether the dump is encrypted to them at all is a command's word only where root does not insist. */
function permitEncryption(isEncrypted: boolean, { backup }: Policy): PolicyVerdict {
  if (isEncrypted || !backup?.mustEncryptDump) return ALLOWED;
  return {
    allowed: false,
    code: 'not-in-policy',
    detail: "the host's policy wants every dump encrypted, and the runbook does not ask for it",
    hint: `Add "encryptDump: true" to "backup:" in the runbook; "mustEncryptDump" stands in ${POLICY_FILE}.`,
  };
}

const DAY_MS = 24 * 60 * 60_000;

/** An old backup brings back what was deleted or mended since: how old one may be is the host's word. */
function permitAge(backupId: BackupId, { backup }: Policy, issuedAtMs: number): PolicyVerdict {
  const days = backup?.maxRestoreAgeDays ?? 0;
  const ageMs = issuedAtMs - idTimeMs(backupId);
  if (ageMs <= days * DAY_MS) return ALLOWED;
  const detail = `the host's policy allows no restore of a backup older than ${days} days, and ${backupId} is`;
  return forbid('not-in-policy', detail, `"maxRestoreAgeDays: ${Math.ceil(ageMs / DAY_MS)}" under "backup:"`);
}

export const BackupSummary = z.lazy(() =>
  z.strictObject({
    backupId: BackupId,
    database: DatabaseName,
    /** Bytes of all parts as they are stored. */
    bytes: z.int().nonnegative(),
    tables: z.int().nonnegative(),
    rows: z.int().nonnegative(),
    durationMs: z.int().nonnegative(),
    manifestObject: z.string(),
    /** True when the dump is encrypted to the recipients of the host's policy. */
    isEncrypted: z.boolean().default(false),
    /** Configuration files and directories of the policy that are not in the backup: a link that is not root's leads to them. */
    leftOut: z.array(z.string()).optional(),
  }),
);
export type BackupSummary = z.infer<typeof BackupSummary>;

export const backupRun = defineOperation({
  name: 'backup.run',
  summary: 'Back up the database, roles and configuration',
  risk: 'change',
  params: z.strictObject({}),
  spec: z.lazy(() =>
    z.strictObject({
      database: DatabaseName,
      localRetentionDays: z.int().min(1),
      encryptDump: z.boolean().default(false),
    }),
  ),
  result: BackupSummary,
  timeoutMs: 6 * 60 * 60_000,
  jobs: ({ backup }) =>
    backup ? [{ name: 'backup', host: backup.host, cron: backup.schedule, params: {} }] : [],
  onRecorded: 'record-backup',
  resolve: (_params, context) => {
    const { host, database, localRetentionDays, encryptDump } = backupTerms(context);
    return { host, spec: { database, localRetentionDays, encryptDump } };
  },
  locks: (spec) => [`database:${spec.database}`],
  permit: (spec, policy) => {
    const verdict = permitDatabase(spec.database, 'backup', policy);
    return verdict.allowed ? permitEncryption(spec.encryptDump, policy) : verdict;
  },
});

export const backupList = defineOperation({
  name: 'backup.list',
  summary: 'List the backups kept on the host',
  risk: 'read',
  params: z.strictObject({}),
  spec: z.strictObject({}),
  result: z.lazy(() =>
    z.strictObject({
      backups: z.array(
        z.strictObject({
          backupId: BackupId,
          bytes: z.int().nonnegative(),
          /** False while the bucket does not have all of it. */
          isUploaded: z.boolean(),
        }),
      ),
    }),
  ),
  timeoutMs: 15_000,
  resolve: (_params, context) => ({ host: backupTerms(context).host, spec: {} }),
  permit: (_spec, policy) => (policy.backup ? ALLOWED : forbid('not-in-policy', NO_BACKUP, BACKUP_ENTRY)),
});

const StoppedService = z.lazy(() =>
  z.strictObject({ service: z.string(), unit: UnitName, health: HealthCheck }),
);

/** A CHECK that reads another table, a view over a name without its schema: PostgreSQL dumps what it does not restore. */
const OnRefused = z.enum(['stop', 'keep-going']);

export const restoreRun = defineOperation({
  name: 'restore.run',
  summary: 'Restore the database from a backup; everything is put back when a step fails',
  risk: 'destructive',
  params: z.strictObject({
    backup: BackupId.describe('the backup to restore'),
    /** A person typed the database's name (or gave --yes); checked again on the host. */
    confirm: DatabaseName.describe('the name of the database, typed as confirmation'),
    onRefused: OnRefused.default('stop').describe(
      'what to do when PostgreSQL refuses a part of the backup: stop and put everything back, or keep going and tell what was refused',
    ),
  }),
  spec: z.lazy(() =>
    z.strictObject({
      backupId: BackupId,
      database: DatabaseName,
      confirm: DatabaseName,
      onRefused: OnRefused.default('stop'),
      services: z.array(StoppedService),
    }),
  ),
  result: z.lazy(() =>
    z.strictObject({
      backupId: BackupId,
      database: DatabaseName,
      /** The database as it was before, kept under this name. */
      keptAs: DatabaseName,
      tables: z.int().nonnegative(),
      rows: z.int().nonnegative(),
      /** What PostgreSQL refused and why, in its own words; the first of them. Empty unless the restore was to keep going. */
      refused: z.array(z.strictObject({ what: z.string(), why: z.string() })).default([]),
      refusedInAll: z.int().nonnegative().default(0),
      /** What a restore leaves out: subscriptions. */
      leftOut: z.array(z.string()).default([]),
      durationMs: z.int().nonnegative(),
    }),
  ),
  timeoutMs: 12 * 60 * 60_000,
  resolve: ({ backup, confirm, onRefused }, context) => {
    const { host, database } = backupTerms(context);
    if (confirm !== database) {
      throw new LamplighterError('invalid-input', `confirm restore of ${database}: "${confirm}" was typed`, {
        hint: `Type the database's name, ${database}.`,
      });
    }
    const names = context.runbook.restore?.services ?? [];
    const services = names.map((service) => {
      const { unit, health } = findService(service, context);
      return { service, unit, health };
    });
    return { host, spec: { backupId: backup, database, confirm, onRefused, services } };
  },
  // The roles of a restore are one pair for the whole host.
  locks: (spec) => [`database:${spec.database}`, 'restore', ...spec.services.map((s) => `unit:${s.unit}`)],
  permit: (spec, policy, issuedAtMs) => {
    const missing = spec.services.find(({ unit }) => {
      const actions = lookUp(policy.units, unit) ?? [];
      return !actions.includes('stop') || !actions.includes('start');
    });
    if (missing) {
      const detail = `the host's policy does not allow stop and start of ${missing.unit}`;
      return forbid('not-in-policy', detail, `stop and start to the list of ${missing.unit} under "units:"`);
    }
    const verdicts = [
      ...spec.services.map(({ health }) => permitHealth(health, policy)),
      permitDatabase(spec.database, 'restore', policy),
      permitAge(spec.backupId, policy, issuedAtMs),
    ];
    return verdicts.find(({ allowed }) => !allowed) ?? ALLOWED;
  },
});

export const restoreKept = defineOperation({
  name: 'restore.kept',
  summary: 'List the databases that restores have put aside',
  risk: 'read',
  params: z.strictObject({}),
  spec: z.strictObject({}),
  result: z.lazy(() =>
    z.strictObject({
      kept: z.array(
        z.strictObject({
          name: DatabaseName,
          /** In whose place another one was put. */
          database: DatabaseName,
          keptAt: Timestamp,
          /** When it was put aside. */
          bytes: z.int().nonnegative(),
        }),
      ),
    }),
  ),
  timeoutMs: 15_000,
  resolve: (_params, context) => ({ host: backupTerms(context).host, spec: {} }),
  permit: (_spec, policy) => (policy.backup ? ALLOWED : forbid('not-in-policy', NO_BACKUP, BACKUP_ENTRY)),
});

export const restoreForget = defineOperation({
  name: 'restore.forget',
  summary: 'Drop a database that a restore has put aside',
  risk: 'destructive',
  params: z.strictObject({
    name: DatabaseName.describe('the database, as lamp kept lists it'),
    confirm: DatabaseName.describe('its name once more, typed as confirmation'),
  }),
  spec: z.lazy(() => z.strictObject({ name: DatabaseName, database: DatabaseName })),
  result: z.lazy(() => z.strictObject({ name: DatabaseName })),
  timeoutMs: 10 * 60_000,
  resolve: ({ name, confirm }, context) => {
    const { host, database } = backupTerms(context);
    if (confirm === name) return { host, spec: { name, database } };
    throw new LamplighterError('invalid-input', `confirm dropping ${name}: "${confirm}" was typed`, {
      hint: `Type the same name twice: lamp kept forget ${name}`,
    });
  },
  locks: (spec) => [`database:${spec.database}`],
  permit: (spec, policy) => permitDatabase(spec.database, 'restore', policy),
});
