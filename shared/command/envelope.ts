// The command as it is signed: what to do, on which host, for whom, and until when it may start.
import * as z from 'zod';
import { CommandId, HostName, Timestamp } from '../names.ts';
import { Role } from '../role.ts';

/** Longest time between signing and starting; also how long a replay record must be kept at least. */
export const MAX_ENVELOPE_LIFETIME_MS = 24 * 60 * 60 * 1000;

export const Actor = z.lazy(() =>
  z.strictObject({
    kind: z.enum(['token', 'webhook', 'schedule', 'channel']),
    name: z.string().min(1).max(100),
    role: Role,
  }),
);
export type Actor = z.infer<typeof Actor>;

/** One version only: an agent refuses every other, so no older format can be used to get around a newer check. */
export const CommandEnvelope = z.lazy(() =>
  z.strictObject({
    v: z.literal(1),
    id: CommandId,
    host: HostName,
    operation: z.string().max(64),
    /** What was asked, as the caller typed it. */
    params: z.record(z.string(), z.unknown()),
    /** What the runbook says about it, resolved by the control plane (units, health checks, objects); parsed by the operation. */
    spec: z.record(z.string(), z.unknown()),
    dryRun: z.boolean(),
    actor: Actor,
    runbookVersion: z.int().nonnegative(),
    issuedAt: Timestamp,
    /** Start by this time; a command that has started may go on. */
    expiresAt: Timestamp,
    timeoutMs: z
      .int()
      .positive()
      .max(24 * 60 * 60 * 1000),
  }),
);
export type CommandEnvelope = z.infer<typeof CommandEnvelope>;

/** The time in a command's id (a UUIDv7 begins with it), in milliseconds. */
export function commandTimeMs(id: CommandId): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
}

/** What every id of this time or later sorts behind. */
export function firstIdAt(timeMs: number): string {
  const hex = Math.max(0, timeMs).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

/** The issue time in signed bytes, in milliseconds; undefined when they are no command. */
export function issueTimeMs(payload: Uint8Array): number | undefined {
  try {
    return Date.parse(CommandEnvelope.parse(JSON.parse(Buffer.from(payload).toString('utf8'))).issuedAt);
  } catch {
    return undefined;
  }
}

/** CloudEvents type of a command message. */
export const COMMAND_EVENT_TYPE = 'dev.lamplighter.command.v1';
