import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { expect, onTestFinished, test } from 'vitest';
import { openFileKey, readIdentities, recipientFingerprint } from '#agent/host/age-identity.ts';
import { LamplighterError } from '#shared/errors.ts';

const identity = await generateIdentity();
const recipient = await identityToRecipient(identity);

function put(text: string, mode = 0o600): string {
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-identity-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'identity.txt');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

function refusal(act: () => unknown): LamplighterError {
  try {
    act();
  } catch (error) {
    if (error instanceof LamplighterError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('identities are read as age-keygen writes them, and never print themselves', () => {
  const file = put(`# created: today\n# public key: ${recipient}\n\n${identity}\r\n${identity}\n`);
  const identities = readIdentities(file);
  expect(identities.map((secret) => secret.reveal())).toEqual([identity, identity]);
  expect(`${JSON.stringify(identities)} ${identities.join(' ')}`).not.toContain('AGE-SECRET-KEY');
});

test.each<[string, () => string, string, RegExp]>([
  ['a file that is not there', () => `${put('')}.none`, 'there is no such file', /install -m 0600/],
  ['an empty file', () => put('# nothing\n'), 'it holds no age identity', /age-keygen/],
  ['a key and a word', () => put(`${identity}\nhunter2-word\n`), 'or something else besides', /age-keygen/],
  ['a key that is cut off', () => put(identity.slice(0, -1)), 'it holds no age identity', /age-keygen/],
  ['a public key', () => put(recipient), 'it holds no age identity', /age-keygen/],
  [
    'a file that its group can read',
    () => put(identity, 0o640),
    'others than root can read it',
    /chmod 0600/,
  ],
  ['a huge file', () => put('#'.repeat(70_000)), 'it is not a file of identities', /install/],
])('%s is refused with what to do', (_name, make, why, hint) => {
  const error = refusal(() => readIdentities(make()));
  expect(error).toMatchObject({ code: 'refused', outcome: 'no-identity' });
  expect(error.message).toContain(why);
  expect(error.hint).toMatch(hint);
  expect(`${error.message} ${error.hint}`).not.toMatch(/AGE-SECRET-KEY-1[0-9A-Z]|hunter2/);
});

test('a directory or a link in its place is not read', () => {
  const file = put(identity);
  mkdirSync(`${file}.dir`, { mode: 0o700 });
  symlinkSync(file, `${file}.link`);
  expect(() => readIdentities(`${file}.dir`)).toThrow('it is not a file of identities');
  expect(() => readIdentities(`${file}.link`)).toThrow();
});

async function sealedTo(...recipients: string[]): Promise<{ header: Uint8Array; fingerprints: string[] }> {
  const encrypter = new Encrypter();
  for (const each of recipients) encrypter.addRecipient(each);
  return {
    header: await encrypter.encrypt('content'),
    fingerprints: recipients.map(recipientFingerprint),
  };
}

test('any of several identities opens what is encrypted to one of them', async () => {
  const [other, third] = [await generateIdentity(), await identityToRecipient(await generateIdentity())];
  const { header, fingerprints } = await sealedTo(third, recipient);
  const key = await openFileKey(header, put(`${other}\n${identity}\n`), fingerprints);
  expect(key.reveal()).toMatch(/^[0-9a-f]{32}$/);
  expect(String(key)).not.toContain(key.reveal());
});

test('an identity of nobody that it is encrypted to is told with both fingerprints', async () => {
  const { header, fingerprints } = await sealedTo(await identityToRecipient(await generateIdentity()));
  await expect(openFileKey(header, put(identity), fingerprints)).rejects.toMatchObject({
    message: expect.stringContaining(
      `encrypted to ${fingerprints[0]?.slice(0, 16)}, and this is an identity of ${recipientFingerprint(recipient).slice(0, 16)}`,
    ),
    outcome: 'no-identity',
  });
});
