// The two accounts of a host: the agent's, and the one that alone carries backups over the network.
import { runChecked, runProgram } from './process.ts';

export const AGENT_ACCOUNT = 'lamplighter';
export const UPLOAD_ACCOUNT = 'lamplighter-backup';

const TIMEOUT_MS = 30_000;

async function exists(name: string): Promise<boolean> {
  const { code } = await runProgram({
    file: '/usr/bin/getent',
    args: ['passwd', name],
    timeoutMs: TIMEOUT_MS,
  });
  return code === 0;
}

/** Makes the accounts that are missing. */
export async function ensureAccounts(): Promise<void> {
  for (const name of [AGENT_ACCOUNT, UPLOAD_ACCOUNT]) {
    if (await exists(name)) continue;
    const args = [
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir',
      '/nonexistent',
      '--shell',
      '/usr/sbin/nologin',
      name,
    ];
    await runChecked({ file: '/usr/sbin/useradd', args, timeoutMs: TIMEOUT_MS });
  }
}

/** uid and gid of an account. */
export async function findAccount(name: string): Promise<{ uid: number; gid: number }> {
  const line = await runChecked({ file: '/usr/bin/getent', args: ['passwd', name], timeoutMs: TIMEOUT_MS });
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
