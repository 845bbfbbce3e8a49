// An alert's events as channels carry them: firing, resolved, and undelivered (somebody else could not be told).
import * as z from 'zod';
import { EntryName, HostName, Timestamp } from '../names.ts';
import { AlertKind } from '../runbook/schema.ts';
import { AlertLevel, Severity } from '../severity.ts';

/** One line of alerts.jsonl: each alert event exactly once, found by `id`. */
export const AlertLine = z.lazy(() =>
  z.strictObject({
    id: z.uuid(),
    at: Timestamp,
    event: z.enum(['firing', 'resolved', 'undelivered']),
    level: AlertLevel,
    severity: Severity,
    kind: AlertKind,
    host: HostName,
    check: EntryName.optional(),
    service: EntryName.optional(),
    summary: z.string().max(500),
    incident: z.string().max(40).optional(),
  }),
);
export type AlertLine = z.infer<typeof AlertLine>;
