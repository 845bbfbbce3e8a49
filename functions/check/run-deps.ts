// What a run of the checks needs, with the real network and real pauses.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deps } from '../deps.ts';
import { look } from './kinds/look.ts';
import type { RunDeps } from './run.ts';

/** Made from what every function has. */
export function createRunDeps(deps: Pick<Deps, 'db' | 'clock' | 'publisher'>): RunDeps {
  return { db: deps.db, publisher: deps.publisher, clock: deps.clock, look, sleep: (ms) => sleep(ms) };
}
