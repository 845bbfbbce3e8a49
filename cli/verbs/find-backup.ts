// Which backup `latest` or an id means.
import { BackupView } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { nearestName } from '#shared/runbook/nearest-name.ts';
import { fetchList } from './show-list.ts';
import type { Session } from './verb.ts';

/** The backup with this id, or the newest that `isFit`. Throws `not-found` with what to do instead. */
export async function findBackup(
  session: Session,
  wanted: string,
  isFit: (backup: BackupView) => boolean = () => true,
): Promise<BackupView> {
  const backups = await fetchList(session, '/v1/backups', BackupView);
  const newestFirst = backups.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
  if (wanted === 'latest') {
    const found = newestFirst.find(isFit);
    if (found) return found;
    throw new LamplighterError('not-found', `find latest backup: ${noneFits(backups.length)}`, {
      hint: backups.length > 0 ? 'Prove one first: lamp verify latest' : 'Take one first: lamp backup',
    });
  }
  const found = backups.find(({ id }) => id === wanted);
  if (found) return found;
  const near = nearestName(
    wanted,
    backups.map(({ id }) => id),
  );
  throw new LamplighterError('not-found', `find backup ${wanted}: there is no such backup`, {
    hint: near ? `Did you mean "${near}"?` : '`lamp backups` lists them.',
  });
}

function noneFits(count: number): string {
  return count === 0 ? 'there is none' : `none of ${count} is proven to be good`;
}
