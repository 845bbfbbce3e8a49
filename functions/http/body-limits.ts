// The largest body that each entry point takes, and how long it may take to arrive. A larger or slower body is refused
// before its sender is authenticated.
import type { IncomingMessage } from 'node:http';
import { type EntryPointName, findEntryPoint, MAX_REPORT_BYTES } from '#shared/topology.ts';

/** A push body without its message data: ids, times, attributes. */
const PUSH_ENVELOPE_BYTES = 16 * 1024;
/** An object's metadata in base64, up to 8 KiB of which its uploader chooses; orders and ticks are far smaller. */
const SMALL_BYTES = 16 * 1024;

/** Bytes, by entry point. */
export const MAX_BODY_BYTES: Record<EntryPointName, number> = {
  // A runbook of 1 MiB, and room for a client that escapes its text.
  api: 2 * 1024 * 1024,
  // Pub/Sub pushes a message's data in base64.
  report: Math.ceil(MAX_REPORT_BYTES / 3) * 4 + PUSH_ENVELOPE_BYTES,
  sign: SMALL_BYTES,
  watch: SMALL_BYTES,
  notify: SMALL_BYTES,
  'verify-object': SMALL_BYTES,
  verify: SMALL_BYTES,
  live: SMALL_BYTES,
  admin: SMALL_BYTES,
};

/** Bodies sent to `api` other than a runbook: parameters of a command, a note, a webhook's call. */
export const MAX_ORDINARY_BYTES = 64 * 1024;
const ORDINARY_TIMEOUT_MS = 10_000;
const LARGE_TIMEOUT_MS = 30_000;

/** All bodies that a process holds. A function has 512 MiB, and a parsed value takes several times the size of its text. */
const MAX_HELD_BYTES = 48 * 1024 * 1024;
/** The share of one address: four runbooks at once. Behind IAM all requests come from Google's addresses, which get all of it. */
const MAX_HELD_BYTES_PER_ADDRESS = 8 * 1024 * 1024;

export interface BodyLimit {
  maxBytes: number;
  /** A request whose body takes longer is refused. */
  timeoutMs: number;
}

export interface BodyLimits {
  /** The limit of one request's body, by its method and path. */
  limitOf(req: IncomingMessage): BodyLimit;
  maxHeldBytes: number;
  maxHeldBytesPerAddress: number;
}

function isRunbook({ method, url }: IncomingMessage): boolean {
  return method === 'PUT' && url?.split('?')[0] === '/v1/runbook';
}

/** The limits of an entry point. */
export function bodyLimitsOf(name: EntryPointName): BodyLimits {
  const large = { maxBytes: MAX_BODY_BYTES[name], timeoutMs: LARGE_TIMEOUT_MS };
  const ordinary = { maxBytes: MAX_ORDINARY_BYTES, timeoutMs: ORDINARY_TIMEOUT_MS };
  return {
    limitOf: (req) => (name === 'api' && !isRunbook(req) ? ordinary : large),
    maxHeldBytes: MAX_HELD_BYTES,
    maxHeldBytesPerAddress:
      findEntryPoint(name).callers === 'public' ? MAX_HELD_BYTES_PER_ADDRESS : MAX_HELD_BYTES,
  };
}
