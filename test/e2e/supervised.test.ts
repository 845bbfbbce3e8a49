// `npm start` where no systemd can be booted: the same tour on a supervised host, under an account without rights, with the
// built bundles in place of the sources and Google's own Pub/Sub emulator in place of ours.
import { chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildFunctions } from '#build/functions.ts';
import { findMissingPrograms } from '#local/demo/setup/programs.ts';
import { PROJECT_ID } from '#local/stack/identities.ts';
import { REPORTS_TOPIC } from '#shared/topology.ts';
import { findGoogleEmulator, startGoogleEmulator } from '#test/fixtures/google-emulator.ts';
import { isLong } from '#test/fixtures/long.ts';
import { NOTHING, observeMachine } from '#test/fixtures/machine-state.ts';
import { MAIN, startMain } from '#test/fixtures/npm-start.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';

const BUNDLES = join(import.meta.dirname, '../../dist/functions');
const NOBODY = 65_534;
const OTHERS_READ = 0o005;

/** Whether an account without rights can read the sources. */
function isOpen(dir: string): boolean {
  return dir === dirname(dir) || ((statSync(dir).mode & OTHERS_READ) === OTHERS_READ && isOpen(dirname(dir)));
}

const canDrop = process.getuid?.() === 0 && isOpen(dirname(MAIN)) && isOpen(dirname(process.execPath));
const able = findGoogleEmulator() ? true : "Google's Pub/Sub emulator is not on this machine";
const who = canDrop ? 'nobody' : 'the account of the tests';
const missing = findMissingPrograms('supervised').map(({ debian }) => debian);
const homeDir = mkdtempSync(join(tmpdir(), 'lamplighter-supervised-'));
if (canDrop) chownSync(homeDir, NOBODY, NOBODY);
afterAll(() => rmSync(homeDir, { recursive: true, force: true }));

const observe = () => observeMachine(homeDir);
const start = (...args: string[]) =>
  startMain(homeDir, ['--supervised', ...args], canDrop ? { uid: NOBODY, gid: NOBODY } : {});

describe.skipIf(missing.length > 0)(
  `npm start without systemd, by ${who} (missing: ${missing.join(', ')})`,
  () => {
    let emulator: Awaited<ReturnType<typeof startGoogleEmulator>> | undefined;

    beforeAll(async () => {
      await buildFunctions(BUNDLES);
      if (able === true) emulator = await startGoogleEmulator({ host: '127.0.0.1' });
    });
    afterAll(async () => {
      await emulator?.close();
    });

    test('says what it runs on; killed hard, it leaves no process and no port behind', async () => {
      const { child, tree, output } = await start('--plain');
      await expect.poll(output).toContain('Last backup');
      expect(output().split('\n')[0]).toMatch(/under a small supervisor, without systemd/);
      child.kill('SIGKILL');
      await expect.poll(tree.alive).toEqual([]);
      expect(observe()).toEqual(NOTHING);
    });

    test('starts again after that from the bundles, plays the whole tour, and leaves nothing behind', async () => {
      const elsewhere = emulator ? ['--pubsub', emulator.address] : [];
      const { ended, tree, output } = await start(
        '--tour',
        '--functions',
        join(BUNDLES, 'index.js'),
        ...elsewhere,
      );
      expect(await ended, output()).toBe(0);
      expect(output()).toMatch(/rows, checksum \S+ as before/);
      expect(output()).toContain('the tour is complete');
      expect(output()).not.toContain('warning:');
      expect(observe()).toEqual(NOTHING);
      expect(tree.alive()).toEqual([]);
    });

    test.skipIf(able !== true)(
      `that tour went over Google's own Pub/Sub emulator${whySkipped(able)}`,
      async () => {
        const options = { projectId: PROJECT_ID, apiEndpoint: emulator?.address ?? '', emulatorMode: true };
        const pubsub = new PubSub(options);
        const [topics] = await pubsub.getTopics();
        await pubsub.close();
        expect(topics.map(({ name }) => name.split('/').at(-1))).toContain(REPORTS_TOPIC);
      },
    );

    // The stack with systemd has this test without `--long`.
    if (isLong)
      test('Ctrl-C ends it, and leaves nothing behind', async () => {
        const { child, ended, tree, output } = await start('--plain');
        await expect.poll(output).toContain('Last backup');
        child.kill('SIGINT');
        expect(await ended, output()).toBe(0);
        expect(observe()).toEqual(NOTHING);
        expect(tree.alive()).toEqual([]);
      });
  },
);
