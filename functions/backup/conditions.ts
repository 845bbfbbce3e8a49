// What can be wrong with a host's backups: the newest proven one is too old, or one is corrupt.
import * as z from 'zod';
import type { Runbook } from '#shared/runbook/schema.ts';
import { defineCondition } from '../alert/condition.ts';

const OF_BACKUP = {
  kind: 'backup',
  nextSteps: () => [
    { command: 'lamp backups', purpose: 'see which backups there are and what is proven of them' },
    { command: 'lamp backup', purpose: 'take a backup now' },
  ],
  isStillMeant: (host: string, _facts: unknown, { backup }: Runbook) => backup?.host === host,
} as const;

export const backupStale = defineCondition({
  ...OF_BACKUP,
  id: 'backup-stale',
  facts: z.lazy(() => z.object({ database: z.string() })),
  title: ({ database }) => `no fresh backup of ${database}`,
});

/** One alert for each corrupt backup; a later proven backup ends them all. */
export const backupCorrupt = defineCondition({
  ...OF_BACKUP,
  id: 'backup-corrupt',
  facts: z.lazy(() => z.object({ backupId: z.string() })),
  subject: ({ backupId }) => backupId,
  mostFiring: 5,
  title: ({ backupId }) => `backup ${backupId} is corrupt`,
});
