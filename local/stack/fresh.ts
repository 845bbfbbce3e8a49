import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { reapLeftovers } from '#local/demo/host/leftovers.ts';
import { LamplighterError } from '#shared/errors.ts';
import { databaseDir, platformDir } from './home.ts';

/** Forgets the state of earlier runs. Refuses a directory that does not look like a home of ours. */
export async function removeHome(dir: string): Promise<void> {
  const home = resolve(dir);
  if (!existsSync(home)) return;
  if (!existsSync(join(home, 'stack.lock'))) {
    throw new LamplighterError(
      'refused',
      `remove home ${home}: it holds no stack.lock, so it may be something else`,
    );
  }
  await reapLeftovers(join(home, 'host'));
  for (const dir of [databaseDir(home), platformDir(home)]) await rm(dir, { recursive: true, force: true });
  for (const entry of readdirSync(home)) {
    if (entry !== 'stack.lock') await rm(join(home, entry), { recursive: true, force: true });
  }
}
