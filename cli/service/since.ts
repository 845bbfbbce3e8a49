// `--since`: a span back from now (`10m`) or a point in time.
import { LamplighterError } from '#shared/errors.ts';

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** RFC 3339 in UTC. Throws `invalid-input` on anything that is neither a span nor a time with a zone. */
export function readSince(word: string, nowMs: number): string {
  const span = /^(\d{1,6})\s*(s|m|h|d)$/.exec(word);
  if (span) {
    const unitMs = UNIT_MS[span[2] ?? ''] ?? 0;
    return new Date(nowMs - Number(span[1]) * unitMs).toISOString();
  }
  const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(word)
    ? Date.parse(word)
    : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new LamplighterError('invalid-input', `read --since ${word}: neither a span nor a time`, {
    hint: 'For example 10m, 2h, or 2026-11-23T08:00:00Z.',
  });
}
