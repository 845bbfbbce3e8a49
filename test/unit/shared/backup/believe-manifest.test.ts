import { expect, test } from 'vitest';
import { believeManifest } from '#shared/backup/believe-manifest.ts';
import { parsePublicKey, signDsse } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { makeKey } from '#test/fixtures/deps.ts';
import { LOCAL_MANIFEST, signManifest } from '#test/fixtures/stored-backup.ts';

const RUNNER = makeKey();
const { backupId, host } = LOCAL_MANIFEST;
const SIGNER = { host, keys: [parsePublicKey(RUNNER.publicPem)] };
const [PART] = LOCAL_MANIFEST.parts;

const signedBy = (content: unknown, key = RUNNER) => signManifest(content, key);

test('a manifest that the runner signed for this backup is believed', async () => {
  const text = await signedBy(LOCAL_MANIFEST);
  expect(believeManifest(text, backupId, SIGNER)).toEqual({ believed: true, manifest: LOCAL_MANIFEST });
});

test('where root alone writes, a former key does no harm', async () => {
  const text = await signedBy(LOCAL_MANIFEST, makeKey());
  expect(believeManifest(text, backupId)).toMatchObject({ believed: true });
});

test.each<[string, () => Promise<string>, string, string]>([
  ['bytes that are no JSON', async () => 'not json', 'document', 'manifest.json: not a signed document'],
  ['an unsigned document', async () => '{"v":1}', 'document', 'manifest.json: not a signed document'],
  [
    'one that a stranger signed',
    () => signedBy(LOCAL_MANIFEST, makeKey()),
    'signature',
    'manifest.json: not signed by the runner of web-1 (it names key ',
  ],
  [
    'a document of another kind',
    async () =>
      JSON.stringify(
        await signDsse('report', Buffer.from(JSON.stringify(LOCAL_MANIFEST)), [keySigner(RUNNER.privatePem)]),
      ),
    'signature',
    'manifest.json: not signed by',
  ],
  [
    'the form of a later version',
    () => signedBy({ ...LOCAL_MANIFEST, v: 2 }),
    'form',
    'manifest.json: not a manifest of a form that this version of Lamplighter reads: v: it must be 1',
  ],
  [
    'a field that is not known',
    () => signedBy({ ...LOCAL_MANIFEST, ['x'.repeat(1000)]: 1 }),
    'form',
    'manifest.json: not a manifest of a form that this version of Lamplighter reads: the document: unknown "xxx',
  ],
  [
    'the manifest of another backup',
    () => signedBy({ ...LOCAL_MANIFEST, backupId: '20261122T020000Z-abcdef' }),
    'backup',
    'manifest.json: it is the manifest of backup 20261122T020000Z-abcdef of web-1',
  ],
  [
    'the manifest of another host',
    () => signedBy({ ...LOCAL_MANIFEST, host: 'web-2' }),
    'backup',
    `manifest.json: it is the manifest of backup ${backupId} of web-2`,
  ],
  [
    'one that names a part twice',
    () => signedBy({ ...LOCAL_MANIFEST, parts: [PART, PART] }),
    'form',
    'manifest.json: it names database.dump.zst twice',
  ],
])('%s is not believed, and a sentence says why', async (_name, write, doubt, fault) => {
  const belief = believeManifest(await write(), backupId, SIGNER);
  if (belief.believed) throw new Error('believed');
  expect(belief.doubt).toBe(doubt);
  expect(belief.fault).toContain(fault);
  expect(belief.fault.length).toBeLessThanOrEqual(300);
});
