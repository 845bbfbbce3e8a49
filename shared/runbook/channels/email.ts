import * as z from 'zod';
import { EntryName } from '../../names.ts';
import { AlertLevel } from '../../severity.ts';

/** Mail; each address is a recipient of its own. A function, since schemas are built when they are first needed. */
export function emailChannel() {
  return z.strictObject({
    kind: z.literal('email'),
    to: z.array(z.email()).min(1).max(50),
    /** Name of the secret that holds the mail server's address, as `smtps://user:password@host:465`. */
    secret: EntryName.default('smtp'),
    minLevel: AlertLevel.default('WARNING'),
  });
}
