// The host's own policy: root's file, /etc/lamplighter/policy.yaml. What it does not name is never touched, whatever
// a signed command says. The control plane can read its hash, not change it.
import * as z from 'zod';
import { AbsolutePath, DatabaseName, EntryName, HostName, UnitName } from '../names.ts';
import { ProgramArguments } from './arguments.ts';
import { HostDeployments } from './deploy.ts';
import { HostDisk } from './disk.ts';
import { JobTable } from './jobs.ts';

/** Where a host has its policy; messages name it. */
export const POLICY_FILE = '/etc/lamplighter/policy.yaml';

export const UnitAction = z.enum(['status', 'logs', 'start', 'stop', 'restart', 'reload']);
export type UnitAction = z.infer<typeof UnitAction>;

/** The scheme, host and port of a WebSocket address; undefined when it is none. */
export function relayOrigin(url: string): string | undefined {
  const parsed = URL.parse(url);
  return parsed && /^wss?:$/.test(parsed.protocol) ? `${parsed.protocol}//${parsed.host}` : undefined;
}

function isOrigin(text: string): boolean {
  return relayOrigin(text) === text;
}

const HostDatabase = z.lazy(() =>
  z.strictObject({
    /** Local socket directory and port of the cluster. */
    socketDir: AbsolutePath.default('/var/run/postgresql'),
    port: z.int().min(1).max(65535).default(5432),
    allow: z.array(z.enum(['backup', 'restore', 'look'])),
  }),
);

const HostBackup = z.lazy(() =>
  z.strictObject({
    bucket: z.string().min(3).max(222),
    /** Local copies: root's directory. */
    localDir: AbsolutePath,
    /**
     * age X25519 recipients (age1…): roles and configuration files are encrypted to these before they leave the host, and the
     * dump where the runbook or this policy wants it.
     */
    recipients: z.array(z.string().regex(/^age1[02-9ac-hj-np-z]{58}$/, 'an age recipient is age1…')).min(1),
    /** No command gets a backup whose dump is not encrypted. */
    mustEncryptDump: z.boolean().default(false),
    /** Where a person puts an age identity for the restore of an encrypted dump: root's file, for nobody else to read. By default /etc/lamplighter/age-identity.txt; the only other places are below /etc/lamplighter/identities. */
    identityFile: AbsolutePath.optional(),
    /** Files and directories (no globs) that hold the configuration. */
    configPaths: z.array(AbsolutePath),
    /** Local copies are kept at least this long, whatever a command says. */
    minLocalRetentionDays: z.int().min(1).max(3650).default(7),
    /** No backup that was older than this when the restore was asked for is restored. */
    maxRestoreAgeDays: z.int().min(1).max(3650).default(35),
  }),
);

/** A port on this machine that may be asked whether a service is healthy: connected to, and asked for these paths. */
const HealthTarget = z.lazy(() =>
  z.strictObject({
    /** Needed where the check asks another address than the host's loopback. */
    address: z.union([z.ipv4(), z.ipv6()]).optional(),
    port: z.int().min(1).max(65535),
    paths: z.array(z.string().regex(/^\/[^\s]*$/, 'a path begins with /')).default([]),
  }),
);

export const Policy = z.lazy(() =>
  z.strictObject({
    version: z.literal(1),
    host: HostName,
    /** Operations that may run here, by exact name. */
    operations: z.array(z.string()),
    units: z.record(UnitName, z.array(UnitAction)),
    /** Programs that test the configuration of a unit, such as `nginx -t`: run as root, and good when they exit with 0. */
    configTests: z.record(UnitName, ProgramArguments).default({}),
    databases: z.record(DatabaseName, HostDatabase).default({}),
    deployments: HostDeployments,
    /** Files that `alert.append` may append to. */
    alertLogs: z.array(AbsolutePath).default([]),
    backup: HostBackup.optional(),
    /** Folders that may be looked at, and old files in folders that may be removed. */
    disk: HostDisk.prefault({}),
    /** Tables of jobs, by names of their own. */
    jobs: z.record(EntryName, JobTable).default({}),
    /** What a health check may ask; a unit's own state may always be asked for. */
    healthChecks: z.array(HealthTarget).default([]),
    /** Live relays that the agent may dial, as origins: `wss://` and the host's name. */
    relays: z
      .array(z.string().refine(isOrigin, 'a relay is wss:// and a host name, without a path'))
      .default([]),
    /**
     * Files, or directories of files, whose values never leave the host in a log or a message: KEY=VALUE lines, JSON, YAML, or
     * the file as a whole.
     */
    secretFiles: z.array(AbsolutePath).max(50).default([]),
    /** How far this clock may run behind the control plane's. */
    maxClockSkewMs: z.int().min(0).max(600_000).default(30_000),
  }),
);
export type Policy = z.infer<typeof Policy>;
