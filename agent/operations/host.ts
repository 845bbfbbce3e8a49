// host.*: the machine itself.
import { hostVitals } from '#shared/operations/host.ts';
import { readVitals } from '../vitals/vitals.ts';
import { defineRead } from './twin.ts';

export const twins = [defineRead(hostVitals, (_spec, { policy }) => readVitals(Object.keys(policy.units)))];
