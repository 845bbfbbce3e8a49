// The one refusal of whoever asks too often.
import { LamplighterError } from '#shared/errors.ts';

/** 429 with retry-after. */
export function tooMany(
  what: string,
  retryAfterS: number,
  facts: { subject: string; actor?: string },
): LamplighterError {
  return new LamplighterError('busy', what, {
    retryable: true,
    hint: `Try again in ${retryAfterS} s.`,
    details: { status: 429, retryAfterS, denial: facts },
  });
}
