// What a channel gets, and how it answers. A new kind of channel: a file beside this and a line in send.ts.
import type { CommandId } from '#shared/names.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import type { Alert } from '../../store/alerts.ts';
import type { Delivery } from '../../store/deliveries.ts';
import type { Incident } from '../../store/incidents.ts';

/** One event of an alert, on its way to one recipient. */
export interface Dispatch {
  delivery: Delivery;
  alert: Alert;
  incident: Incident | undefined;
  runbook: Runbook;
}

/**
 * What became of one attempt. `delivered`: with what the channel answered. `sent`: a command carries it to a host, and its
 * end decides. `refused`: this recipient will never take it. `withdrawn`: the runbook does not want it any more. Whatever
 * is thrown may work later.
 */
export type SendOutcome =
  | { state: 'delivered'; receipt: string }
  | { state: 'sent'; commandId: CommandId; receipt: string }
  | { state: 'refused' | 'withdrawn'; reason: string };
