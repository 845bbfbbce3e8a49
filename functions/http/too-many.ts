// The refusal of a caller that sends too many requests.
import { HttpFault } from './fault.ts';

/** 429 with retry-after. */
export function tooMany(
  what: string,
  retryAfterS: number,
  facts: { subject: string; actor?: string },
): HttpFault {
  return new HttpFault('busy', what, {
    retryable: true,
    hint: `Try again in ${retryAfterS} s.`,
    status: 429,
    retryAfterS,
    denial: facts,
  });
}
