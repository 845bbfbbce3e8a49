// The states of checks, deliveries, backups and incidents, as everybody sees them; those of commands: command/state.ts. How one leads to
// another is told by the state machines of functions/.
import * as z from 'zod';

/** `unknown`: nobody has seen it lately, or ever. */
export const CheckState = z.enum(['passing', 'failing', 'unknown']);
export type CheckState = z.infer<typeof CheckState>;

/** `sent`: handed to a host, which has not said yet that the line is written. */
export const DeliveryState = z.enum(['pending', 'sent', 'delivered', 'failed']);
export type DeliveryState = z.infer<typeof DeliveryState>;

/**
 * What is proven of a backup. `intact`: the stored bytes are those that the host signed; the dump is encrypted, so nobody in
 * the cloud knows what it holds.
 */
export const ProofState = z.enum(['pending', 'intact', 'verified', 'corrupt']);
export type ProofState = z.infer<typeof ProofState>;

export const IncidentState = z.enum(['open', 'acknowledged', 'resolved']);
export type IncidentState = z.infer<typeof IncidentState>;
