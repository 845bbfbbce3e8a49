// Which backup `latest` or an id means.
import { ROUTES } from '#shared/api/routes.ts';
import type { BackupView } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { nearestName } from '#shared/runbook/nearest-name.ts';
import { isPartOfId } from '../output/short-id.ts';
import type { Session } from '../verb.ts';

/** The most that the API lists. */
export const MOST_BACKUPS = 500;
const MOST_TOLD = 5;

/** The backup with this id, or whose id alone begins or ends so, or the newest that `isFit`. Throws `not-found` with what to do instead. */
export async function findBackup(
  session: Session,
  wanted: string,
  isFit: (backup: BackupView) => boolean = ({ proof }) => proof.state !== 'not-uploaded',
): Promise<BackupView> {
  const backups = await session.client().call(ROUTES.listBackups, { query: { limit: MOST_BACKUPS } });
  const newestFirst = backups.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
  if (wanted === 'latest') {
    const found = newestFirst.find(isFit);
    if (found) return found;
    throw new LamplighterError('not-found', `find latest backup: ${noneFits(backups.length)}`, {
      hint:
        backups.length > 0 ? 'Verify a backup first: lamp verify latest' : 'Take a backup first: lamp backup',
    });
  }
  const found = backups.filter(({ id }) => id === wanted || isPartOfId(id, wanted));
  const [only, ...others] = found;
  if (only && others.length === 0) return only;
  if (only) {
    throw new LamplighterError(
      'invalid-input',
      `find backup ${wanted}: several backup ids begin or end with these characters`,
      {
        hint: `Give one of these ids: ${listIds(found)}.`,
      },
    );
  }
  const near = nearestName(
    wanted,
    backups.map(({ id }) => id),
  );
  throw new LamplighterError('not-found', `find backup ${wanted}: there is no such backup`, {
    hint: near ? `Did you mean "${near}"?` : '`lamp backups` lists them.',
  });
}

function listIds(backups: readonly BackupView[]): string {
  const ids = backups.slice(0, MOST_TOLD).map(({ id }) => id);
  return [...ids, ...(backups.length > MOST_TOLD ? ['more'] : [])].join(', ');
}

function noneFits(count: number): string {
  return count === 0 ? 'no backup exists yet' : `none of ${count} backups is verified or intact`;
}
