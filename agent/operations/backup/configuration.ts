// The archive of the configuration files that the policy names. They may lie in folders of the application's: each folder
// is opened name by name, and tar starts from what is open, so that no link of the application's leads root elsewhere.
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { messageOf } from '#shared/errors.ts';
import { mustHaveEndedWell } from '../../host/joined.ts';
import { type OpenDirectory, openUnlinkedDirectory } from '../../host/trusted-path.ts';
import { collectOutput } from './output.ts';

/** Exit code of tar when it is done, but a file changed, shrank or vanished while it was read. */
const TAR_SOME_DIFFER = 1;
const MAX_NOTES = 5;
const FIRST_FD = 3;

export interface Configuration {
  tar: Buffer;
  /** For people: what is not there, what was left out, and what changed while it was read. */
  notes: string[];
  /** Paths of the policy that were left out, though they may be there. */
  leftOut: string[];
}

interface OpenPath {
  path: string;
  directory: OpenDirectory;
}

function isThere({ path, directory }: OpenPath): boolean {
  return existsSync(directory.pathOf(basename(path)));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Opens the folder of each path; what can't be opened is noted. */
function openFolders(paths: readonly string[], { notes, leftOut }: Omit<Configuration, 'tar'>): OpenPath[] {
  return paths.flatMap((path) => {
    try {
      return { path, directory: openUnlinkedDirectory(dirname(path)) };
    } catch (error) {
      if (isMissing(error)) notes.push(`not there: ${path}`);
      else {
        leftOut.push(path);
        notes.push(`left out ${path}: ${messageOf(error)}`);
      }
      return [];
    }
  });
}

/**
 * A tar of the configuration files that exist (an empty one when none does). A log that grows while it is read, or a file
 * that goes, is no reason to be without a backup: it is noted. So is a file in a folder that a link of another account's
 * leads to: it is left out.
 */
export async function readConfiguration(
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Configuration> {
  const told = { notes: [], leftOut: [] };
  const open = openFolders(paths, told);
  try {
    return { tar: await archive(open, told.notes, signal), ...told };
  } finally {
    for (const { directory } of open) directory.close();
  }
}

async function archive(open: readonly OpenPath[], notes: string[], signal: AbortSignal): Promise<Buffer> {
  const present = open.filter(isThere);
  notes.push(...open.filter((path) => !present.includes(path)).map(({ path }) => `not there: ${path}`));
  const fds = present.flatMap(({ directory: { fd } }) => fd ?? []);
  const { output, ended } = await collectOutput(
    'tar',
    { file: '/usr/bin/tar', args: tarArguments(present) },
    { signal, fds },
  );
  if (ended.code === TAR_SOME_DIFFER) notes.push(...tarNotes(ended.said, present));
  // One that was there a moment ago is missing like the others.
  else if (ended.code !== 0 && !present.every(isThere)) return await archive(present, notes, signal);
  else mustHaveEndedWell([ended]);
  return output;
}

/** A member that is asked for as `3/app.conf`, below descriptor 3, is called by its path in the archive. */
function tarArguments(present: readonly OpenPath[]): string[] {
  const common = ['--create', '--file=-', '--numeric-owner'];
  // tar makes no archive of nothing unless it is told to read the names from nowhere.
  if (present.length === 0) return [...common, '--files-from=/dev/null'];
  const areOpen = present.every(({ directory: { fd } }) => fd !== undefined);
  if (!areOpen) return [...common, '--directory=/', '--', ...present.map(({ path }) => path.slice(1))];
  const renames = present.map(({ path }, i) => `--transform=s,^${FIRST_FD + i}/,${escape(folderOf(path))},S`);
  const members = present.map(({ path }, i) => `${FIRST_FD + i}/${basename(path)}`);
  return [...common, '--directory=/proc/self/fd', ...renames, '--', ...members];
}

/** As it begins the name of a member. */
function folderOf(path: string): string {
  const folder = dirname(path).slice(1);
  return folder === '' ? '' : `${folder}/`;
}

/** What means something in the replacement of tar's expressions. */
function escape(text: string): string {
  return text.replaceAll(/[\\&,]/g, (character) => `\\${character}`).replaceAll('\n', '\\n');
}

function tarNotes(said: string, present: readonly OpenPath[]): string[] {
  const lines = said.split('\n').flatMap((line) => /^[^:]*tar: (.+)$/.exec(line)?.[1] ?? []);
  const told = lines.filter((line) => !line.startsWith('Removing leading')).slice(0, MAX_NOTES);
  if (told.length === 0) return ['files changed while they were read'];
  return told.map((line) =>
    line.replace(/^(\d+)\//, (whole, fd: string) => {
      const of = present[Number(fd) - FIRST_FD];
      return of ? folderOf(of.path) : whole;
    }),
  );
}
