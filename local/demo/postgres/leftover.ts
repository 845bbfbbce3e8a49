// Finds and stops a server that a killed owner left behind, by its postmaster.pid.
import { existsSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Account, type PostgresPrograms } from './programs.ts';
import { runToEnd } from './run.ts';

/** The postmaster's working directory is its data directory: a process with another one got the same id by chance. */
function isPostmasterOf(pid: number, dataDir: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dataDir);
  } catch {
    return false;
  }
}

/** Stops a server that still runs on `dataDir` and clears a stale lock file. */
export async function stopLeftover(
  dataDir: string,
  programs: PostgresPrograms,
  account: Account | undefined,
): Promise<void> {
  const lockFile = join(dataDir, 'postmaster.pid');
  if (!existsSync(lockFile)) return;
  const pid = Number(readFileSync(lockFile, 'utf8').split('\n')[0]);
  if (existsSync('/proc/self') && !isPostmasterOf(pid, dataDir)) {
    rmSync(lockFile, { force: true });
    return;
  }
  // Without /proc we leave the decision to pg_ctl, which finds no server when the file is stale.
  await runToEnd(programs.pgCtl, ['stop', '-D', dataDir, '-m', 'fast', '-w', '-t', '20'], account).catch(
    (error: unknown) => {
      if (existsSync('/proc/self')) throw error;
      rmSync(lockFile, { force: true });
    },
  );
}
