// The accounts of a host: the agent's, the one that alone carries backups over the network, the one that packs dumps
// without it, the one that decodes them, and the one that restores them.
import { HAS_ACCOUNTS } from '../config/paths.ts';
import { type Account, runChecked, runProgram } from './process.ts';

export const AGENT_ACCOUNT = 'lamplighter';
const UPLOAD_ACCOUNT = 'lamplighter-backup';
/** Not the uploader's account: a process of that account could otherwise change what is hashed and counted. */
const PACK_ACCOUNT = 'lamplighter-pack';
/** Not pg_restore's account: a dump that takes over its decoder could otherwise reach into pg_restore. */
const UNPACK_ACCOUNT = 'lamplighter-unpack';
/** Also the name of the role that it logs in as: PostgreSQL's peer authentication wants them to be the same. */
export const RESTORE_ACCOUNT = 'lamplighter-restore';

/** The same for the role that looks at tables of jobs. */
export const JOBS_ACCOUNT = 'lamplighter-jobs';

const TIMEOUT_MS = 30_000;

async function exists(name: string): Promise<boolean> {
  const { code } = await runProgram({
    file: '/usr/bin/getent',
    args: ['passwd', name],
    timeoutMs: TIMEOUT_MS,
  });
  return code === 0;
}

/** The account that carries backups over the network. */
export function uploadAccount(): Promise<Account> {
  return findAccount(UPLOAD_ACCOUNT);
}

/** The account that packs dumps. */
export function packAccount(): Promise<Account> {
  return findAccount(PACK_ACCOUNT);
}

/** The account that decodes dumps. */
export function unpackAccount(): Promise<Account> {
  return findAccount(UNPACK_ACCOUNT);
}

/** The account under which a dump is restored: it has neither the network's credentials nor any file. */
export function restoreAccount(): Promise<Account> {
  return findAccount(RESTORE_ACCOUNT);
}

/** The account that looks at tables of jobs: it has no file, and no right but those of its role in PostgreSQL. */
export function jobsAccount(): Promise<Account> {
  return findAccount(JOBS_ACCOUNT);
}

/** Makes the accounts that are missing, where there are accounts. */
export async function ensureAccounts(): Promise<void> {
  if (!HAS_ACCOUNTS) return;
  for (const name of [
    AGENT_ACCOUNT,
    UPLOAD_ACCOUNT,
    PACK_ACCOUNT,
    UNPACK_ACCOUNT,
    RESTORE_ACCOUNT,
    JOBS_ACCOUNT,
  ]) {
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

/** The account of this process: root on a host. */
export function ownAccount(): Account {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

const known = new Map<string, Account>();

/** uid and gid of an account; this process's own where there are no other accounts. A process asks once for each. */
export async function findAccount(name: string): Promise<Account> {
  if (!HAS_ACCOUNTS) return ownAccount();
  const account = known.get(name) ?? (await lookUpAccount(name));
  known.set(name, account);
  return account;
}

async function lookUpAccount(name: string): Promise<Account> {
  const line = await runChecked({ file: '/usr/bin/getent', args: ['passwd', name], timeoutMs: TIMEOUT_MS });
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
