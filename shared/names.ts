// The names that cross boundaries. Each is safe as an argument of a program and as part of a file or topic name.
import * as z from 'zod';

/** A host's service account in the cloud is `lamp-host-<name>`, and Google allows 30 characters for it. */
export const MAX_HOST_NAME_LENGTH = 20;

/** A host's name in the runbook: letters, digits, hyphen; it becomes part of topic, object and account names. */
export const HostName = z
  .string()
  .max(MAX_HOST_NAME_LENGTH, `a host name has at most ${MAX_HOST_NAME_LENGTH} characters`)
  .regex(/^[a-z]([a-z0-9-]*[a-z0-9])?$/, 'a host name is lower-case letters, digits and hyphens')
  .brand<'HostName'>();
export type HostName = z.infer<typeof HostName>;

/** A service's, check's, channel's or webhook's name in the runbook. */
export const EntryName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'a name is lower-case letters, digits and hyphens');

/** What a person may call a service: its name in the runbook, or its unit, with or without `.service`. */
export const ServiceReference = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9:_.@\\-]{0,254}$/,
    'a service is called by its name in the runbook or by its unit',
  );

/** systemd.unit(5); what a name may end in. */
const UNIT_TYPES = 'service|socket|device|mount|automount|swap|target|path|timer|slice|scope';

/**
 * A systemd unit with its type, as systemd.unit(5) allows it: up to 255 letters, digits and `:-_.\@`. Never starts with `-`,
 * so that it can't be taken for an option, and is not a template, which is no unit until it has an instance.
 */
export const UnitName = z
  .string()
  .max(255, 'a unit name has at most 255 characters')
  .regex(
    new RegExp(`^[A-Za-z0-9:_.\\\\][A-Za-z0-9:_.\\\\@-]*\\.(${UNIT_TYPES})$`),
    'a unit is a systemd unit name with its type, such as app-web.service',
  )
  .regex(
    /^(?![^@]*@\.[a-z]+$)/,
    'a template is not a unit: name an instance of it, such as worker@1.service',
  );

/** NAMEDATALEN - 1: PostgreSQL cuts a longer name short. */
const MAX_NAME_BYTES = 63;

/** A PostgreSQL database's name, as it is, without quotes: any text without control characters. */
export const DatabaseName = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'a database name has at least one character and no control characters')
  .refine(
    (name) => new TextEncoder().encode(name).length <= MAX_NAME_BYTES,
    `a database name has at most ${MAX_NAME_BYTES} bytes`,
  );

/** An absolute path without `..`, `.` or empty segments. */
export const AbsolutePath = z
  .string()
  .max(4096)
  .regex(/^(\/(?!\.{1,2}(\/|$))[^/\0]+)+$/, 'a path is absolute and has no "." or ".." segments');

/** RFC 3339 in UTC, as `Date.prototype.toISOString` writes it. PostgreSQL knows no year 0. */
export const Timestamp = z.iso
  .datetime({ offset: false })
  .refine((text) => !text.startsWith('0000'), 'a time is not in the year 0');

/** A command's id: UUIDv7 (RFC 9562), so ids sort by time. */
export const CommandId = z.uuidv7().brand<'CommandId'>();
export type CommandId = z.infer<typeof CommandId>;

/** A backup's id: the UTC second it began and the command that made it, e.g. `20261123T020000Z-0197c2`. */
export const BackupId = z
  .string()
  .regex(/^\d{8}T\d{6}Z-[0-9a-f]{6}$/, 'a backup id looks like 20261123T020000Z-1f3a9c')
  .brand<'BackupId'>();
export type BackupId = z.infer<typeof BackupId>;

/**
 * A branch, a tag or a commit, by a narrower rule than git-check-ref-format(1): never starts with `-`, so that it can't be taken
 * for an option, and holds nothing of what git reads as an expression (`..`, `@{`, `^`, `~`, `:`).
 */
export const GitRef = z
  .string()
  .max(200, 'a ref has at most 200 characters')
  .regex(
    /^[A-Za-z0-9_](?:[A-Za-z0-9_.+@-]|\/(?![/.]))*$/,
    'a ref is a tag, a branch or a commit: letters, digits and ._+@/- as git allows them',
  )
  .refine((ref) => !/\.\.|\.$|\/$|\.lock(\/|$)/.test(ref), 'git allows no such ref');

/** A commit's whole hash, SHA-1 or SHA-256. */
export const CommitHash = z.string().regex(/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/);

/** A release's id: the UTC second it was made and the begin of its commit's hash, e.g. `20261127T020000Z-1f3a9c0b`. */
export const ReleaseId = z
  .string()
  .regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/, 'a release id looks like 20261127T020000Z-1f3a9c0b')
  .brand<'ReleaseId'>();
export type ReleaseId = z.infer<typeof ReleaseId>;

/** The second of a time, as ids of backups and releases begin with it. */
export function idStamp(at: Date): string {
  return at.toISOString().replace(/[-:]|\.\d+/g, '');
}

/** The time that an id begins with: when a backup began, or a release was made. */
export function idTimeMs(id: BackupId | ReleaseId): number {
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z/.exec(id) ?? [];
  return Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s));
}
