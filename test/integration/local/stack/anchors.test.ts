// The control plane of the local stack, all of its functions as processes: the scheduler's tick anchors the audit trail in
// the stack's bucket, and `admin` and `verify` hold the trail against it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkTrail } from '#functions/audit/check.ts';
import { readAnchors } from '#functions/audit/read-anchors.ts';
import { type Database, openDatabase } from '#functions/store/database.ts';
import { findFreePort } from '#local/ports.ts';
import { type Closing, createClosing } from '#local/stack/closing.ts';
import { type Cloud, startCloud } from '#local/stack/cloud.ts';
import { openHome } from '#local/stack/home.ts';
import { BACKUP_BUCKET, PROJECT_ID } from '#local/stack/identities.ts';
import { openKeys } from '#local/stack/keys.ts';
import { parsePublicKey } from '#shared/signing/dsse.ts';

const dir = mkdtempSync(join(tmpdir(), 'lamplighter-anchors-'));
const closing: Closing = createClosing();
const troubles: string[] = [];
let cloud: Cloud;
let db: Database;
let publicKeyFile: string;

beforeAll(async () => {
  const home = openHome(dir);
  const keys = await openKeys(home.keys);
  publicKeyFile = keys.signingPublicKeyFile;
  cloud = await startCloud(
    {
      home,
      keys,
      bindAddress: '127.0.0.1',
      hosts: ['web-1'],
      apiPort: await findFreePort('127.0.0.1'),
      tickMs: 1000,
      functionsSource: join(import.meta.dirname, '../../../../functions/index.ts'),
      onStep: () => undefined,
      onTrouble: (text) => troubles.push(text),
    },
    closing,
  );
  db = openDatabase(cloud.databaseUrl);
});
afterAll(async () => {
  await db?.close();
  await closing.closeAll((name, message) => troubles.push(`${name}: ${message}`));
  rmSync(dir, { recursive: true, force: true });
});

test('a tick anchors the trail, and the daily round finds it whole', async () => {
  cloud.startTicking();
  const storage = new Storage({ apiEndpoint: cloud.storageEndpoint, projectId: PROJECT_ID });
  const keys = [parsePublicKey(readFileSync(publicKeyFile, 'utf8'))];
  const look = async () =>
    await checkTrail(db, await readAnchors(storage.bucket(BACKUP_BUCKET), keys), new Date());
  await expect.poll(look).toMatchObject({ intact: true, anchors: 1, anchoredUpTo: 1 });
  await cloud.runJob('verify-daily');
  expect(troubles).toEqual([]);
});
