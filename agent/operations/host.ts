// host.*: the machine itself.
import { hostVitals } from '#shared/operations/host.ts';
import { readVitals } from '../vitals/vitals.ts';
import type { Read } from './twin.ts';

/** Reads of the agent. */
export const reads: Record<string, Read> = {
  [hostVitals.name]: (_spec, { policy }) => readVitals(Object.keys(policy.units)),
};
