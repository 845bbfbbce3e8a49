// host.*: the machine itself.

import * as z from 'zod';
import { Vitals } from '../command/report.ts';
import { LamplighterError } from '../errors.ts';
import { lookUp } from '../look-up.ts';
import { HostName } from '../names.ts';
import { ALLOWED, defineOperation, type ResolveContext } from './definition.ts';

/** The parameter of an operation that is about a host and no service of it. */
export const HostParameter = HostName.optional().describe(
  "the host's name in the runbook; may be left out where the runbook has one host",
);

/**
 * The host that is named, or the runbook's only one. Throws `not-found` when the runbook does not have it, `invalid-input` when
 * several could be meant.
 */
export function nameHost(given: HostName | undefined, { runbook }: ResolveContext): HostName {
  const known = Object.keys(runbook.hosts);
  const hint = `Hosts: ${known.join(', ')}.`;
  if (given !== undefined) {
    if (lookUp(runbook.hosts, given)) return given;
    throw new LamplighterError('not-found', `find host ${given}: the runbook has no such host`, { hint });
  }
  const [only, ...others] = known;
  if (only !== undefined && others.length === 0) return HostName.parse(only);
  throw new LamplighterError('invalid-input', `choose a host: the runbook has ${known.length}`, { hint });
}

/** Parameters with the host that is meant. */
export function hostInParams<P extends { host?: HostName | undefined }>(
  params: P,
  context: ResolveContext,
): P {
  return { ...params, host: nameHost(params.host, context) };
}

export const hostVitals = defineOperation({
  name: 'host.vitals',
  summary: "Show a host's load, memory, disks and units",
  risk: 'read',
  params: z.strictObject({ host: HostParameter }),
  spec: z.strictObject({}),
  result: Vitals,
  timeoutMs: 15_000,
  canonical: hostInParams,
  resolve: ({ host }, context) => ({ host: nameHost(host, context), spec: {} }),
  permit: () => ALLOWED,
});
