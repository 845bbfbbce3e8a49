import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readRelease, writeManifest } from '#agent/release/manifest.ts';
import { NODE_PINS, NODE_VERSION } from '#agent/release/node-pins.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { makeKey } from '#test/fixtures/deps.ts';

const release = makeKey();
const stranger = makeKey();
const FACTS = { version: '1.2.3', platform: 'linux-x64', node: NODE_VERSION };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-release-'));
  for (const folder of ['bin', 'lib']) mkdirSync(join(dir, folder));
  writeFileSync(join(dir, 'bin/node'), 'the program');
  writeFileSync(join(dir, 'lib/agent.mjs'), 'ours');
  writeFileSync(join(dir, 'VERSION'), '1.2.3\n');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('what is read is what was listed, with a signature or without', async () => {
  await writeManifest(dir, FACTS, keySigner(release.privatePem));
  writeFileSync(join(dir, 'policy.yaml'), 'a file that a person put beside it');
  for (const keys of [[], [release.publicKey], [stranger.publicKey, release.publicKey]]) {
    const { manifest, files } = readRelease(dir, keys);
    expect(manifest).toMatchObject(FACTS);
    expect(files.map(({ path, bytes }) => [path, bytes.toString()])).toEqual([
      ['VERSION', '1.2.3\n'],
      ['bin/node', 'the program'],
      ['lib/agent.mjs', 'ours'],
    ]);
  }
});

describe('nothing is read of an archive', () => {
  test.each([
    [
      'with an altered file',
      () => writeFileSync(join(dir, 'bin/node'), 'another'),
      /bin\/node differs from its list/,
    ],
    ['with a missing file', () => rmSync(join(dir, 'lib/agent.mjs')), /lib\/agent.mjs is missing/],
    [
      'with a file too many',
      () => writeFileSync(join(dir, 'lib/more.mjs'), ''),
      /lib\/more.mjs is not in its list/,
    ],
    [
      'with a link for a file',
      () => {
        rmSync(join(dir, 'bin/node'));
        symlinkSync('/bin/sh', join(dir, 'bin/node'));
      },
      /bin\/node is no plain file/,
    ],
    ['without a list', () => rmSync(join(dir, 'manifest.json')), /can't be read/],
    ['whose signature is gone', () => rmSync(join(dir, 'manifest.sig.json')), /not signed/],
    [
      'whose list is not the signed one',
      () => writeFileSync(join(dir, 'manifest.json'), `${readFileSync(join(dir, 'manifest.json'), 'utf8')} `),
      /its list of files is not signed with this host's release key/,
    ],
  ])('%s', async (_name, spoil, fault) => {
    await writeManifest(dir, FACTS, keySigner(release.privatePem));
    spoil();
    expect(() => readRelease(dir, [release.publicKey])).toThrow(fault);
  });

  test('whose list leads elsewhere', async () => {
    await writeManifest(dir, FACTS);
    writeFileSync(join(dir, 'manifest.json'), listOf('../../etc/shadow'));
    expect(() => readRelease(dir, [])).toThrow(/can't be read/);
  });

  test('that somebody else signed', async () => {
    await writeManifest(dir, FACTS, keySigner(stranger.privatePem));
    expect(() => readRelease(dir, [release.publicKey])).toThrow(
      /its list of files is not signed with this host's release key/,
    );
  });
});

function listOf(path: string): string {
  return JSON.stringify({ v: 1, ...FACTS, files: [{ path, sha256: '0'.repeat(64) }] });
}

test('the pinned Node is the one that everything else here runs on', () => {
  const root = join(import.meta.dirname, '../../../..');
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  expect(NODE_VERSION).toBe(dependencies['node']);
  expect(Object.keys(NODE_PINS)).toEqual(['linux-x64', 'linux-arm64']);
});
