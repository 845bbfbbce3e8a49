// Entry point `watch`: Cloud Scheduler calls it every minute.
import { LamplighterError } from '#shared/errors.ts';
import { createRunDeps } from '../check/run-deps.ts';
import type { Deps } from '../deps.ts';
import type { Handler } from '../http/answer.ts';
import { privateHandler } from '../http/private.ts';
import { runTick } from './tick.ts';

/** Answers the scheduler with 200 and what was done, or with 500 when a part failed. */
export function handleWatch(deps: Deps): Handler {
  return privateHandler(deps, async () => {
    const { did, failures } = await runTick({
      ...createRunDeps(deps),
      log: deps.log,
      signCommand: deps.signCommand,
      anchorAudit: deps.anchorAudit,
      latestProvenBackup: async (...of) =>
        await (await import('../store/backups.ts')).latestProvenBackup(...of),
    });
    for (const { part, error } of failures) deps.log.error('part of the tick failed', error, { part });
    if (failures.length > 0) {
      const parts = failures.map(({ part }) => part).join(', ');
      throw new LamplighterError('failed', `run tick: ${parts} failed`);
    }
    return { body: did };
  });
}
