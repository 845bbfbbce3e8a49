// The same story with the built bundles in place of the sources and Google's own Pub/Sub emulator in place of ours.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildFunctions } from '#build/functions.ts';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { playTour } from '#local/stack/tour.ts';
import { findGoogleEmulator, startGoogleEmulator } from '#test/fixtures/google-emulator.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';
import { startTestStack, type TestStack } from '#test/fixtures/stack.ts';

const { systemdHost } = detectCapabilities();
const emulator = findGoogleEmulator();
const able = emulator ? systemdHost : "Google's Pub/Sub emulator is not on this machine";
const BUNDLES = join(import.meta.dirname, '../../dist/functions');

describe.skipIf(able !== true)(`bundles with Google's Pub/Sub emulator${whySkipped(able)}`, () => {
  let stack: TestStack;
  let pubsub: Awaited<ReturnType<typeof startGoogleEmulator>>;

  beforeAll(async () => {
    await buildFunctions(BUNDLES);
    // All addresses: the host reaches it over its own link, whose address is not known yet.
    pubsub = await startGoogleEmulator({ host: '0.0.0.0' });
    stack = await startTestStack({
      functionsSource: join(BUNDLES, 'index.js'),
      pubsubAddress: pubsub.address,
    });
  });
  afterAll(async () => {
    await stack?.close();
    await pubsub?.close();
  });

  test('plays the whole tour', async () => {
    const figures = await playTour(stack, () => undefined);
    expect(figures.failureToMailS).toBeGreaterThan(0);
    expect(stack.troubles).toEqual([]);
  });
});
