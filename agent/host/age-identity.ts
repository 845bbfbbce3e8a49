// age identities that a person puts on the host for a restore, and the recipients that they belong to.

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { LamplighterError } from '#shared/errors.ts';
import { Secret } from '#shared/secret.ts';
import { ownAccount } from './accounts.ts';
import { requireTrustedPath } from './trusted-path.ts';

/** SHA-256 of a recipient as it is written, by which a manifest names whom its dump is encrypted to. */
export function recipientFingerprint(recipient: string): string {
  return createHash('sha256').update(recipient).digest('hex');
}

const MAX_FILE_BYTES = 64 * 1024;
const OTHERS = 0o077;
const IDENTITY = /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/;

/** Why the identity can't be used, and what a person does about it; the error holds nothing of the file's content. */
function useless(file: string, why: string, hint: string): LamplighterError {
  return new OperationFailure('no-identity', 'refused', `read age identity ${file}: ${why}`, { hint });
}

function howToPut(file: string): string {
  return (
    `As root, put the identity of one of the recipients there for the time of the restore: ` +
    `install -m 0600 -o root KEY ${file}; then restore again, and remove it afterwards.`
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Reads through one descriptor, so that the file that was checked is the file that is read. */
function readPrivately(file: string): string {
  requireTrustedPath(file);
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isMissing(error))
      throw useless(file, 'the dump is encrypted, and there is no such file', howToPut(file));
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES)
      throw useless(file, 'it is not a file of identities', howToPut(file));
    if (stat.uid !== ownAccount().uid || (stat.mode & OTHERS) !== 0)
      throw useless(
        file,
        'others than root can read it',
        `chown root ${file}; chmod 0600 ${file}. Whoever read it can open these backups.`,
      );
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** The identities in a file as age-keygen writes it. Throws `refused` when it is missing, not root's alone, or holds none. */
export function readIdentities(file: string): Secret[] {
  const lines = readPrivately(file)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length > 0 && lines.every((line) => IDENTITY.test(line))) {
    return lines.map((line) => new Secret(line));
  }
  throw useless(
    file,
    'it holds no age identity, or something else besides',
    'Each line is AGE-SECRET-KEY-1… as age-keygen writes it. One with a passphrase is opened first: age -d.',
  );
}

const SHOWN_DIGITS = 16;

/**
 * The key of one encrypted file, from its header. Throws `refused` when none of the identities opens it, with the
 * fingerprints of both sides.
 */
export async function openFileKey(
  header: Uint8Array,
  file: string,
  recipients: readonly string[],
): Promise<Secret> {
  const identities = readIdentities(file);
  const { Decrypter, identityToRecipient } = await import('age-encryption');
  const own = await Promise.all(
    identities.map(async (identity) => recipientFingerprint(await identityToRecipient(identity.reveal()))),
  );
  if (!own.some((fingerprint) => recipients.includes(fingerprint))) {
    const short = (of: readonly string[]): string => of.map((hex) => hex.slice(0, SHOWN_DIGITS)).join(', ');
    throw useless(
      file,
      `the dump is encrypted to ${short(recipients)}, and this is an identity of ${short(own)}`,
      `These are SHA-256 of recipients: age-keygen -y KEY | tr -d '\\n' | sha256sum. ${howToPut(file)}`,
    );
  }
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity.reveal());
  return new Secret(Buffer.from(await decrypter.decryptHeader(header)).toString('hex'));
}
