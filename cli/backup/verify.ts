// `lamp verify`: asks for a proof and waits until the cloud has it.
import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { BackupView } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { pause } from '#shared/kit/backoff.ts';
import { EXIT } from '../exit.ts';
import { toJsonText } from '../output/json.ts';
import { addExamples, type Bind, type Session } from '../verb.ts';
import { viewContext } from '../view.ts';
import { renderBackups } from './backups.ts';
import { findBackup, MOST_BACKUPS } from './find-backup.ts';

const POLL_MS = 1000;

export function define(command: Command, bind: Bind): void {
  command
    .description(
      "Verify a backup: the cloud reads all its objects in the bucket, compares them with the manifest, decodes the dump and counts its rows. Of roles and configuration, which are always encrypted, only the bytes are verified. An encrypted dump can't be decoded, so its backup becomes intact at most.\n\nExits with 1 when the backup is corrupt.",
    )
    .argument('[backup]', "a backup's id, the end of its id, or latest", 'latest')
    .option('--detach', 'return at once; `lamp backups` shows the proof later')
    .action(
      bind(async (session, wanted: string, { detach }: { detach?: boolean }) => {
        const before = await findBackup(session, wanted);
        await session.client().call(ROUTES.verifyBackup, { params: { id: before.id } });
        if (!session.isJson) session.io.out(`verifying ${before.id}\n`);
        const after = detach ? before : await waitForProof(session, before);
        if (!after) return EXIT.interrupted;
        session.io.out(session.isJson ? toJsonText(after) : renderBackups([after], viewContext(session)));
        for (const fault of session.isJson ? [] : after.proof.faults) session.io.out(`  ${fault}\n`);
        return after.proof.state === 'corrupt' ? EXIT.failed : EXIT.done;
      }),
    );
  addExamples(command, 'lamp verify latest');
}

async function waitForProof(session: Session, before: BackupView): Promise<BackupView | undefined> {
  const { io } = session;
  while (!io.interrupted.aborted) {
    await pause(POLL_MS, io.interrupted);
    const now = await lookAgain(session, before.id);
    if (now && now.proof.state !== 'pending' && now.proof.at !== before.proof.at) return now;
  }
  io.err('\nstopped waiting; the verification goes on\nlook at it: lamp backups\n');
  return undefined;
}

/** The backup as it is now, or undefined when the connection failed: the next look may do better. */
async function lookAgain(session: Session, id: string): Promise<BackupView | undefined> {
  try {
    const backups = await session.client().call(ROUTES.listBackups, { query: { limit: MOST_BACKUPS } });
    return backups.find((backup) => backup.id === id);
  } catch (error) {
    if (error instanceof LamplighterError && error.retryable) return undefined;
    throw error;
  }
}
