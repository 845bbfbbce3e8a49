// An encrypted dump is decrypted once, before anything is touched: into a file of root's that lives as long as the restore.
// Root unwraps the key of that one file; a process that can reach nothing does the rest.
import { closeSync, fsyncSync, mkdirSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type BackupPart, PART_FILES } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import { READY_FD, SEALED_FD } from '../../backup-open/protocol.ts';
import { packAccount } from '../../host/accounts.ts';
import { openFileKey } from '../../host/age-identity.ts';
import { mustHaveEndedWell } from '../../host/joined.ts';
import { startSealedChild } from '../../host/sealed-child.ts';
import { type OpenDump, openDump } from './dump.ts';
import { needRoom } from './room.ts';

export interface OpenOrder {
  /** Of the encrypted part; from its beginning each time, the caller closes it. */
  reopen(): number;
  part: BackupPart;
  /** Where the identity is. */
  identityFile: string;
  /** A directory of this restore's own, made when it is needed. */
  workDir: string;
  signal: AbortSignal;
}

const FILE_MODE = 0o600;
/** A header has a stanza of some 100 bytes for each recipient. */
const MAX_HEADER_BYTES = 64 * 1024;

function readHeader(fd: number): Buffer {
  const head = Buffer.alloc(MAX_HEADER_BYTES);
  return head.subarray(0, readSync(fd, head, 0, head.length, 0));
}

/**
 * Decrypts a dump whose stored bytes were checked, and checks what comes out. Throws `refused` when there is no identity
 * that opens it, `unavailable` when there is no room for it, `corrupt` when it is not what the manifest says.
 */
export async function openEncryptedDump(order: OpenOrder): Promise<OpenDump> {
  const { part, identityFile, workDir, signal } = order;
  const { encryption } = part;
  if (!encryption) throw new LamplighterError('internal', `open ${part.object}: it is not encrypted`);
  const source = order.reopen();
  try {
    const key = await openFileKey(readHeader(source), identityFile, encryption.recipients);
    mkdirSync(workDir, { recursive: true, mode: 0o700 });
    needRoom([{ path: workDir, bytes: encryption.plainBytes }], 'decrypt the dump');
    const file = join(workDir, PART_FILES.database);
    await decrypt({ source, file, key: key.reveal() }, signal);
    return await openDump(file, encryption.plainSha256);
  } finally {
    closeSync(source);
  }
}

async function decrypt(
  { source, file, key }: { source: number; file: string; key: string },
  signal: AbortSignal,
): Promise<void> {
  const target = openSync(file, 'wx', FILE_MODE);
  try {
    const stdio: ('pipe' | 'ignore' | number)[] = ['pipe', target, 'pipe'];
    stdio[SEALED_FD] = source;
    stdio[READY_FD] = 'pipe';
    const account = await packAccount();
    const child = await startSealedChild(
      { name: 'backup-open', args: [], account, stdio, resultFd: READY_FD },
      signal,
    );
    child.process.stdin?.end(key);
    mustHaveEndedWell([await child.ended]);
    fsyncSync(target);
  } finally {
    closeSync(target);
  }
}
