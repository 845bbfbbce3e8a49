import * as z from 'zod';
import { AbsolutePath, HostName } from '../../names.ts';
import { AlertLevel } from '../../severity.ts';

/** One JSON line per alert in a file on the host, written by the agent. */
export function jsonlChannel() {
  return z.strictObject({
    kind: z.literal('jsonl'),
    host: HostName,
    path: AbsolutePath.default('/opt/app/logs/alerts.jsonl'),
    minLevel: AlertLevel.default('INFO'),
  });
}
