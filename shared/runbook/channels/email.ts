import * as z from 'zod';
import { AlertLevel } from '../../severity.ts';

/** Mail; each address is a recipient of its own. A function, since schemas are built when they are first needed. */
export function emailChannel() {
  return z.strictObject({
    kind: z.literal('email'),
    to: z.array(z.email()).min(1).max(50),
    minLevel: AlertLevel.default('WARNING'),
  });
}
