// How large a dump will be, before it is made.
import { messageOf } from '#shared/errors.ts';
import { readLocalManifest } from './read-manifest.ts';
import { type LocalBackup, listLocalBackups } from './store.ts';

/** Of a database's size, when nothing is known of its earlier backups. */
const EXPECTED_SHARE = 0.25;

/**
 * How large the dump will be: as the newest local backup of this database was, grown with it. A manifest that can't be read
 * (damaged, or of another version of Lamplighter) is noted and skipped: it must not prevent the next backup.
 */
export function expectBytes(
  localDir: string,
  { database, databaseBytes }: { database: string; databaseBytes: number },
  note: (text: string) => void,
): number {
  const whole = listLocalBackups(localDir).filter(({ isWhole }) => isWhole);
  for (const backup of whole.toReversed()) {
    const share = shareOf(backup, database, note);
    if (share !== undefined) return Math.ceil(share * databaseBytes);
  }
  return Math.ceil(databaseBytes * EXPECTED_SHARE);
}

/** The size of a stored dump divided by its database's; undefined when this backup can't say. */
function shareOf(backup: LocalBackup, database: string, note: (text: string) => void): number | undefined {
  try {
    const { manifest } = readLocalManifest(backup);
    const part = manifest.parts.find(({ name }) => name === 'database');
    if (manifest.database !== database || !part || manifest.databaseBytes === 0) return undefined;
    return part.bytes / manifest.databaseBytes;
  } catch (error) {
    note(`passed over local backup ${backup.backupId}: ${messageOf(error)}`);
    return undefined;
  }
}
