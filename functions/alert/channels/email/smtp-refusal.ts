// Which answers of a mail server say that an address will never take mail. Everything else passes (a full mailbox, a
// quota) or can be mended (our settings, our reputation, a route), so it is tried again.
import * as z from 'zod';

/** What the mail client says of a failure. */
const Failure = z.lazy(() => z.object({ command: z.string(), response: z.string() }));

/**
 * Enhanced codes (RFC 3463, section 3; 5.1.10 from RFC 7505), of the class 5 = permanent. Not among them: 5.1.5 (a
 * success code), 5.1.7 and 5.1.8 (the sender's address, so ours), 5.1.9 (a relay), and of the mailbox codes 5.2.2 (full),
 * 5.2.3 (this message is too long) and 5.2.4 (a mailing list's own trouble).
 */
const FINAL_ENHANCED: ReadonlySet<string> = new Set([
  '5.1.0', // other address status
  '5.1.1', // bad destination mailbox address
  '5.1.2', // bad destination system address
  '5.1.3', // bad destination mailbox address syntax
  '5.1.4', // destination mailbox address ambiguous
  '5.1.6', // destination mailbox has moved, no forwarding address
  '5.1.10', // the recipient's domain has a null MX
  '5.2.1', // mailbox disabled, not accepting messages
]);

/**
 * Reply codes without an enhanced code. RFC 5321, 4.2.3: 551 "user not local", 553 "mailbox name not allowed"; RFC 7504:
 * 556 "domain does not accept mail". A bare 550 can be a policy ("command rejected for policy reasons"), so it is not final.
 */
const FINAL_BARE: ReadonlySet<string> = new Set(['551', '553', '556']);

/** Some servers write `550 #5.1.0`. */
const REPLY = /^(\d{3})(?:[ -]#?(\d\.\d{1,3}\.\d{1,3})(?!\S))?/;

/** True when the failure is a refusal of the recipient's address for good. */
export function isAddressDead(error: unknown): boolean {
  const failure = Failure.safeParse(error).data;
  // Only the answer to RCPT TO is about the recipient: connection, AUTH and MAIL FROM are about us, DATA about the mail.
  if (failure?.command !== 'RCPT TO') return false;
  const [, code, enhanced] = REPLY.exec(failure.response) ?? [];
  if (code === undefined || !code.startsWith('5')) return false;
  return enhanced === undefined ? FINAL_BARE.has(code) : FINAL_ENHANCED.has(enhanced);
}
