// The archives that are shipped, as `npm run build` makes them: with the pinned Node, by contents and ELF header; and what
// their programs load.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import * as z from 'zod';
import { buildAgent, packAgent } from '#agent/build.ts';
import { readRelease } from '#agent/release/manifest.ts';
import { NODE_PINS, NODE_VERSION, RELEASE_PLATFORMS } from '#agent/release/node-pins.ts';
import { findPinnedNode } from '#build/node-package.ts';
import { LamplighterError } from '#shared/errors.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { makeKey } from '#test/fixtures/deps.ts';
import { isLong } from '#test/fixtures/long.ts';

const ELF_CLASS = 4;
const ELF_MACHINE = 18;
const release = makeKey();

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-archive-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

// Other tests run this machine's archive; `npm run test:long` builds those of the other platforms.
test.for(RELEASE_PLATFORMS.filter((platform) => isLong || platform === `linux-${process.arch}`))(
  'for %s there is the pinned Node, a program of that machine',
  async (platform, { skip }) => {
    const nodeFile = await findPinnedNode(platform).catch((error: unknown) => {
      if (error instanceof LamplighterError && error.code === 'unavailable') skip(error.message);
      throw error;
    });
    const node = readFileSync(nodeFile);
    const { sha256, elfMachine } = NODE_PINS[platform];
    expect(createHash('sha256').update(node).digest('hex')).toBe(sha256);
    expect([node.toString('latin1', 1, ELF_CLASS), node.readUInt16LE(ELF_MACHINE)]).toEqual([
      'ELF',
      elfMachine,
    ]);
  },
);

test('an archive, unpacked, holds exactly what its signed list says, and the script for its machine', async () => {
  const nodeFile = join(dir, 'node');
  writeFileSync(nodeFile, 'a program for another machine');
  const signer = keySigner(release.privatePem);
  const agentDir = join(dir, 'agent');
  await buildAgent(agentDir, { platform: 'linux-arm64', nodeFile, nodeVersion: NODE_VERSION, signer });
  const archive = await packAgent(agentDir, dir, 'linux-arm64');
  spawnSync('/usr/bin/tar', ['xzf', archive, '--directory', dir]);
  const unpacked = join(dir, 'lamplighter-agent');
  const { manifest, files } = readRelease(unpacked, [release.publicKey]);
  expect(manifest).toMatchObject({ platform: 'linux-arm64', node: NODE_VERSION });
  expect(files.find(({ path }) => path === 'bin/node')?.bytes.toString()).toBe(
    'a program for another machine',
  );
  const names = [
    'VERSION',
    'install',
    'lib/agent.mjs',
    'lib/install.mjs',
    'lib/runner.mjs',
    'lib/backup-stream.mjs',
    'lib/backup-pack.mjs',
    'lib/backup-unpack.mjs',
  ];
  expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining(names));
  expect(readFileSync(join(unpacked, 'install'), 'utf8')).toContain(
    `= '${NODE_PINS['linux-arm64'].machine}' ]`,
  );
});

const Loaded = z.object({ builtins: z.array(z.string()), files: z.array(z.string()) });
const TELL_LOADED = `
  import { registerHooks } from 'node:module';
  const files = [];
  registerHooks({ load: (url, context, next) => (files.push(url), next(url, context)) });
  process.on('exit', () => console.log(JSON.stringify({ builtins: process.moduleLoadList, files })));`;

test('a runner, which each command starts, loads neither age nor Google’s clients nor what only fetch needs', () => {
  const lib = join(inject('agentDir'), 'lib');
  const args = [
    '--import',
    `data:text/javascript,${encodeURIComponent(TELL_LOADED)}`,
    join(lib, 'runner.mjs'),
  ];
  const { stdout } = spawnSync(join(lib, '../bin/node'), args, { encoding: 'utf8' });
  const { builtins, files } = Loaded.parse(JSON.parse(stdout));
  expect(builtins).toContain('NativeModule net');
  expect(builtins.filter((name) => /undici|http2/.test(name))).toEqual([]);
  const isLoaded = (file: string): boolean => files.some((url) => url.endsWith(`/${file}`));
  expect(isLoaded('runner.mjs')).toBe(true);
  for (const mark of ['age-encryption.org/v1', 'pubsub.googleapis.com']) {
    const holders = readdirSync(lib).filter((file) => readFileSync(join(lib, file), 'utf8').includes(mark));
    expect(holders).not.toEqual([]);
    expect(holders.filter(isLoaded)).toEqual([]);
  }
});
