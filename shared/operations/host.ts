// host.*: the machine itself.

import * as z from 'zod';
import { Vitals } from '../command/report.ts';
import { LamplighterError } from '../errors.ts';
import { lookUp } from '../look-up.ts';
import { HostName } from '../names.ts';
import { ALLOWED, defineOperation } from './definition.ts';

export const hostVitals = defineOperation({
  name: 'host.vitals',
  summary: "Show a host's load, memory, disks and units",
  risk: 'read',
  params: z.strictObject({ host: HostName.describe("the host's name in the runbook") }),
  spec: z.strictObject({}),
  result: Vitals,
  timeoutMs: 15_000,
  resolve: ({ host }, { runbook }) => {
    if (!lookUp(runbook.hosts, host)) {
      const hint = `Hosts: ${Object.keys(runbook.hosts).join(', ')}.`;
      throw new LamplighterError('not-found', `find host ${host}: the runbook has no such host`, { hint });
    }
    return { host, spec: {} };
  },
  permit: () => ALLOWED,
});
