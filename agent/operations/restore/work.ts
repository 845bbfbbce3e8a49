// The work directory of a restore: what it fetched from the bucket, and what it decrypted. It is on record before it is made,
// so that it goes in the end, whatever became of the command, of the policy's `localDir`, or of the process.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { messageOf } from '#shared/errors.ts';
import { writeDurably } from '#shared/kit/durable-file.ts';
import { AbsolutePath, CommandId } from '#shared/names.ts';

const Work = z.strictObject({
  // Root removes it with all that is in it.
  dir: AbsolutePath.regex(/\/\.restore-[0-9a-f]{6}$/),
});

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

function recordFile(recordsDir: string, id: CommandId): string {
  return join(recordsDir, `${CommandId.parse(id)}.json`);
}

/** Names the work directory of a command below `localDir`, and records it. It is not made yet. */
export function recordWorkDir(recordsDir: string, id: CommandId, localDir: string): string {
  const work: z.infer<typeof Work> = { dir: join(localDir, `.restore-${id.slice(-6)}`) };
  mkdirSync(recordsDir, { recursive: true, mode: DIRECTORY_MODE });
  writeDurably(recordFile(recordsDir, id), JSON.stringify(Work.parse(work)), FILE_MODE);
  return work.dir;
}

/** Removes the work directory of a command where the record says that it is; calling it twice does no harm. */
export function removeWorkDir(recordsDir: string, id: CommandId): void {
  const file = recordFile(recordsDir, id);
  if (!existsSync(file)) return;
  const { dir } = Work.parse(JSON.parse(readFileSync(file, 'utf8')));
  rmSync(dir, { recursive: true, force: true });
  rmSync(file, { force: true });
}

/** Removes the work directories of commands that have ended, in whatever way; one that can't be removed is noted. */
export function sweepWorkDirs(
  recordsDir: string,
  isOver: (id: CommandId) => boolean,
  note: (id: CommandId, error: string) => void,
): void {
  if (!existsSync(recordsDir)) return;
  for (const name of readdirSync(recordsDir)) {
    const id = CommandId.safeParse(name.replace(/\.json$/, '')).data;
    if (id === undefined || !isOver(id)) continue;
    try {
      removeWorkDir(recordsDir, id);
    } catch (error) {
      note(id, messageOf(error));
    }
  }
}
