// The largest body that each entry point takes; what is larger is refused before anybody has asked who sends it.
import { type EntryPointName, MAX_REPORT_BYTES } from '#shared/topology.ts';

/** What stands around a message's data in a push: ids, times, attributes. */
const PUSH_ENVELOPE_BYTES = 16 * 1024;
/** An object's metadata, of which 8 KiB may be anybody's, in base64; orders and ticks are far smaller. */
const SMALL_BYTES = 16 * 1024;

/** Bytes, by entry point. */
export const MAX_BODY_BYTES: Record<EntryPointName, number> = {
  // A runbook of 1 MiB, and room for whoever escapes it.
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
