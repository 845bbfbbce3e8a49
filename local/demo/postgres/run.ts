// Runs one of PostgreSQL's programs to its end.
import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import type { Account } from './programs.ts';

/** The environment of every PostgreSQL program: messages in English, nothing of the caller's. */
export const PROGRAM_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' };

/** Rejects with the program's own words when it fails. */
export async function runToEnd(file: string, args: string[], account: Account | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile(
      file,
      args,
      { ...account, cwd: '/', env: PROGRAM_ENV, timeout: 120_000 },
      (error, _out, stderr) => {
        if (!error) return resolve();
        const reason = stderr.trim() || error.message;
        reject(new LamplighterError('failed', `run ${basename(file)}: ${reason}`, { cause: error }));
      },
    );
  });
}
