// What a channel gets, and how it answers. A new kind of channel: a file beside this and a line in send.ts.
import type { Runbook } from '#shared/runbook/schema.ts';
import type { Alert } from '../../store/alerts.ts';
import type { Delivery } from '../../store/deliveries.ts';
import type { Incident } from '../../store/incidents.ts';

/** One event of an alert, on its way to one channel. */
export interface Dispatch {
  delivery: Delivery;
  alert: Alert;
  incident: Incident | undefined;
  runbook: Runbook;
}

/** `sent` with what the channel answered, or `refused` for good. Whatever is thrown may work later. */
export type SendOutcome = { state: 'sent'; receipt: string } | { state: 'refused'; reason: string };
