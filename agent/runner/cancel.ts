// Marks of commands that are to be cancelled: root's, one file per command, outside its run, since a cancel may come before
// the command does. A command that has one never begins, and its recovery undoes it.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { commandTimeMs } from '#shared/command/envelope.ts';
import { writeDurably } from '#shared/kit/durable-file.ts';
import { CommandId } from '#shared/names.ts';

const CancelMark = z.strictObject({
  /** The command that cancels. */
  by: CommandId,
  /** Who asked for it, as messages name them. */
  actor: z.string(),
});
export type CancelMark = z.infer<typeof CancelMark>;

const DIRECTORY_MODE = 0o750;
const FILE_MODE = 0o640;

function marksDir(runsDir: string): string {
  return join(runsDir, '.cancelled');
}

function markFile(runsDir: string, id: CommandId): string {
  return join(marksDir(runsDir), `${CommandId.parse(id)}.json`);
}

/** Marks a command; on the disk when this returns. The first mark stays. */
export function markCancelled(runsDir: string, id: CommandId, mark: CancelMark): void {
  if (readCancel(runsDir, id)) return;
  mkdirSync(marksDir(runsDir), { recursive: true, mode: DIRECTORY_MODE });
  writeDurably(markFile(runsDir, id), JSON.stringify(CancelMark.parse(mark)), FILE_MODE);
}

/** The mark of a command, or undefined. */
export function readCancel(runsDir: string, id: CommandId): CancelMark | undefined {
  const file = markFile(runsDir, id);
  return existsSync(file) ? CancelMark.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
}

/** Removes marks of commands that are older than this; the ids say how old. */
export function pruneMarks(runsDir: string, oldestMs: number): void {
  const dir = marksDir(runsDir);
  if (!existsSync(dir)) return;
  for (const name of readdirSync(dir)) {
    const id = CommandId.safeParse(name.replace(/\.json$/, '')).data;
    if (id !== undefined && commandTimeMs(id) < oldestMs) rmSync(join(dir, name), { force: true });
  }
}
