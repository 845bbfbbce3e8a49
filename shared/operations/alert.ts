// alert.*: what the control plane writes down on the host.

import * as z from 'zod';
import { AlertLine } from '../alert/event.ts';
import { MAX_ENVELOPE_LIFETIME_MS } from '../command/envelope.ts';
import { LamplighterError } from '../errors.ts';
import { lookUp } from '../look-up.ts';
import { AbsolutePath, EntryName } from '../names.ts';
import { ALLOWED, defineOperation, forbid } from './definition.ts';

export const alertAppend = defineOperation({
  name: 'alert.append',
  summary: "Append an alert to the host's alert log, once",
  risk: 'change',
  params: z.strictObject({
    channel: EntryName.describe('the jsonl channel of the runbook'),
    alert: AlertLine,
  }),
  spec: z.lazy(() => z.strictObject({ path: AbsolutePath, alert: AlertLine })),
  result: z.lazy(() => z.strictObject({ path: AbsolutePath, appended: z.boolean() })),
  timeoutMs: 60_000,
  // Alerts come together, and none may be lost for that.
  lockWaitMs: 30_000,
  // A host that is down for hours still gets the line.
  startWithinMs: MAX_ENVELOPE_LIFETIME_MS,
  askedBy: ['channel'],
  ownerOf: ({ channel }) => channel,
  onRecorded: 'conclude-line',
  resolve: ({ channel, alert }, { runbook }) => {
    const found = lookUp(runbook.channels, channel);
    if (found?.kind !== 'jsonl') {
      throw new LamplighterError(
        'not-found',
        `find channel ${channel}: the runbook has no such jsonl channel`,
      );
    }
    return { host: found.host, spec: { path: found.path, alert } };
  },
  locks: (spec) => [`file:${spec.path}`],
  permit: (spec, policy) =>
    policy.alertLogs.includes(spec.path)
      ? ALLOWED
      : forbid(
          'not-in-policy',
          `the host's policy has no alert log ${spec.path}`,
          `${spec.path} under "alertLogs:"`,
        ),
});
