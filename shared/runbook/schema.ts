// runbook.yaml, version 1: the one file a team edits. References between entries are checked in references.ts.
import * as z from 'zod';
import { DatabaseName, EntryName, HostName, UnitName } from '../names.ts';
import { Role } from '../role.ts';
import { AlertLevel, DEFAULT_SEVERITIES, Severity } from '../severity.ts';
import { emailChannel } from './channels/email.ts';
import { jsonlChannel } from './channels/jsonl.ts';
import { Deployments } from './deployments.ts';

const Port = z.int().min(1).max(65535);
const TimeoutMs = z.int().min(100).max(60_000);

const Host = z.lazy(() =>
  z.strictObject({
    /** Where checks reach the host from outside: a DNS name or an address. */
    address: z.string().min(1).max(253),
    timezone: z.string().refine(isTimeZone, 'not an IANA time zone such as Europe/London').default('UTC'),
    /** Alert when no heartbeat came for this long; agents send one every 30 s. */
    heartbeatTimeoutS: z.int().min(60).default(90),
  }),
);

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

const HealthAddress = z.lazy(() => z.union([z.ipv4(), z.ipv6()], 'an IP address of the host, such as "::1"'));

/** How the agent decides, on the host, that a service works after it was started. */
export const HealthCheck = z.lazy(() =>
  z.union([
    z.strictObject({
      http: z.strictObject({
        /** Where the service listens, if not on 127.0.0.1: `::1`, or another address of its host. */
        address: HealthAddress.optional(),
        port: Port,
        path: z.string().regex(/^\/[^\s]*$/, 'a path begins with /'),
        status: z.int().min(100).max(599).default(200),
      }),
      withinMs: z.int().min(1000).max(600_000).default(30_000),
    }),
    z.strictObject({
      tcp: z.strictObject({ address: HealthAddress.optional(), port: Port }),
      withinMs: z.int().min(1000).max(600_000).default(30_000),
    }),
    /** No port to ask: the unit must stay active for this long. */
    z.strictObject({ activeForMs: z.int().min(500).max(60_000).default(3000) }),
  ]),
);
export type HealthCheck = z.infer<typeof HealthCheck>;

const Service = z.lazy(() =>
  z.strictObject({
    host: HostName,
    unit: UnitName,
    description: z.string().max(200).optional(),
    port: Port.optional(),
    /** Services that it can't work without: they start before it, and a restart of the stack goes through them in this order. */
    needs: z.array(EntryName).max(50).default([]),
    health: HealthCheck.default({ activeForMs: 3000 }),
  }),
);

const HttpCheck = z.lazy(() =>
  z.strictObject({
    /** `{address}` stands for the address of the check's host. */
    url: z.string().regex(/^https?:\/\//, 'a URL begins with http:// or https://'),
    status: z.int().min(100).max(599).default(200),
    bodyContains: z.string().max(1000).optional(),
    /** A path into the JSON body such as `engines[0].id`; the value must exist and not be null. */
    jsonPath: z.string().max(200).optional(),
    /** A slower answer is a bad one. */
    maxLatencyMs: z.int().min(1).max(60_000).optional(),
  }),
);
export type HttpCheck = z.infer<typeof HttpCheck>;

const checkTiming = {
  host: HostName,
  service: EntryName.optional(),
  everyS: z.int().min(10).max(86_400).default(60),
  timeoutMs: TimeoutMs.default(5000),
  /** Bad results in a row, within one run, that make the check fail. */
  failureThreshold: z.int().min(1).max(10).default(3),
  /** Good results in a row that make it pass again. */
  successThreshold: z.int().min(1).max(10).default(2),
  recheckDelayMs: z.int().min(100).max(30_000).default(2000),
};
const Check = z.lazy(() =>
  z.union([
    z.strictObject({ ...checkTiming, http: HttpCheck }),
    z.strictObject({ ...checkTiming, tcp: z.strictObject({ port: Port }) }),
  ]),
);
export type Check = z.infer<typeof Check>;

const Backup = z.lazy(() =>
  z.strictObject({
    host: HostName,
    database: DatabaseName,
    /** Five-field cron expression in the host's time zone. */
    schedule: z.string(),
    /** Age of the newest verified backup that raises an alert. */
    maxAgeHours: z.int().min(1).default(26),
    localRetentionDays: z.int().min(1).max(3650).default(30),
    /**
     * Encrypts the dump to the recipients of the host's policy, as roles and configuration always are. The cloud can't look
     * into it: such a backup is proven intact, not verified, and a restore needs an identity on the host.
     */
    encryptDump: z.boolean().default(false),
  }),
);

const Restore = z.lazy(() =>
  z.strictObject({
    /** Stopped in this order, started in the reverse order. */
    services: z.array(EntryName).min(1),
  }),
);

/** An alert's kind: what raised it. */
export const AlertKind = z.enum(['check', 'heartbeat', 'backup', 'command', 'agent', 'audit']);
export type AlertKind = z.infer<typeof AlertKind>;

const SeverityRule = z.lazy(() =>
  z.strictObject({
    when: z.strictObject({
      kind: AlertKind.optional(),
      check: EntryName.optional(),
      service: EntryName.optional(),
      host: HostName.optional(),
    }),
    severity: Severity,
  }),
);

const SeverityTerms = z.lazy(() => z.strictObject({ respondWithinMin: z.int().min(1), level: AlertLevel }));
const Severities = z.lazy(() =>
  z.strictObject({
    P1: SeverityTerms.default(DEFAULT_SEVERITIES.P1),
    P2: SeverityTerms.default(DEFAULT_SEVERITIES.P2),
    P3: SeverityTerms.default(DEFAULT_SEVERITIES.P3),
    P4: SeverityTerms.default(DEFAULT_SEVERITIES.P4),
  }),
);

const Channel = z.lazy(() => {
  const kinds = [emailChannel(), jsonlChannel()] as const;
  const names = kinds.map(({ shape }) => shape.kind.value);
  return z.discriminatedUnion('kind', kinds, `a channel is a mapping with the kind ${names.join(' or ')}`);
});
export type Channel = z.infer<typeof Channel>;

const Webhook = z.lazy(() =>
  z.strictObject({
    operation: z.string(),
    /** Parameters that are always these. */
    params: z.record(z.string(), z.unknown()).default({}),
    /** Parameters that the caller may choose, each from a list. */
    choose: z.record(z.string(), z.array(z.union([z.string(), z.number(), z.boolean()])).min(1)).default({}),
    role: Role.default('responder'),
    /** Name of the secret that holds the HMAC key. */
    secret: EntryName,
  }),
);
export type Webhook = z.infer<typeof Webhook>;

export const Runbook = z.lazy(() =>
  z.strictObject({
    version: z.literal(1),
    name: z.string().min(1).max(100),
    hosts: z.record(HostName, Host).refine(isNotEmpty, 'at least one host'),
    services: z.record(EntryName, Service).default({}),
    checks: z.record(EntryName, Check).default({}),
    backup: Backup.optional(),
    restore: Restore.optional(),
    deployments: Deployments,
    severities: Severities.prefault({}),
    /** The first rule that matches decides an alert's severity; none: P3. */
    severityRules: z.array(SeverityRule).default([]),
    channels: z.record(EntryName, Channel).default({}),
    webhooks: z.record(EntryName, Webhook).default({}),
  }),
);
export type Runbook = z.infer<typeof Runbook>;
export type RunbookHost = z.infer<typeof Host>;
export type RunbookService = z.infer<typeof Service>;

function isNotEmpty(record: Record<string, unknown>): boolean {
  return Object.keys(record).length > 0;
}
