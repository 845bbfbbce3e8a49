// Google's own command-line client against our server: a second reading of the protocol than the Node client's.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { bytesOf, checksumsOf, runGcs } from './running-server.ts';

const GCLOUD = ['/usr/bin/gcloud', '/usr/local/bin/gcloud', '/usr/lib/google-cloud-sdk/bin/gcloud'].find(
  (path) => existsSync(path),
);

test.skipIf(!GCLOUD)(
  `gcloud storage copies, lists, hashes and deletes${GCLOUD ? '' : ' (skipped: gcloud is not on this machine)'}`,
  async () => {
    const gcs = await runGcs();
    const configDir = join(gcs.dataDir, 'gcloud');
    mkdirSync(configDir);
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: configDir,
      CLOUDSDK_CONFIG: configDir,
      CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `${gcs.server.url}/storage/v1/`,
      CLOUDSDK_AUTH_DISABLE_CREDENTIALS: 'true',
      CLOUDSDK_CORE_PROJECT: 'test',
      CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: 'true',
      CLOUDSDK_STORAGE_PROCESS_COUNT: '1',
      CLOUDSDK_STORAGE_RESUMABLE_THRESHOLD: '1Mi',
    };
    const gcloud = async (...args: string[]) =>
      (await promisify(execFile)(GCLOUD ?? '', ['storage', '--quiet', ...args], { env })).stdout;
    const small = bytesOf(1_000);
    const large = bytesOf(3 * 1_024 * 1_024 + 1);
    mkdirSync(join(gcs.dataDir, 'local'));
    writeFileSync(join(gcs.dataDir, 'local/small'), small);
    writeFileSync(join(gcs.dataDir, 'local/large ü'), large);
    await gcloud('cp', '-r', join(gcs.dataDir, 'local'), 'gs://backups/');
    expect((await gcs.bucket.file('local/small').getMetadata())[0]).toMatchObject(checksumsOf(small));
    expect((await gcs.bucket.file('local/large ü').getMetadata())[0]).toMatchObject(checksumsOf(large));
    expect(await gcloud('ls', 'gs://backups/local/')).toBe(
      'gs://backups/local/large ü\ngs://backups/local/small\n',
    );
    await gcloud('cp', 'gs://backups/local/large ü', join(gcs.dataDir, 'back'));
    expect(readFileSync(join(gcs.dataDir, 'back')).equals(large)).toBe(true);
    await gcloud('rm', 'gs://backups/local/small');
    expect((await gcs.bucket.getFiles())[0].map(({ name }) => name)).toEqual(['local/large ü']);
    await gcs.close();
  },
);
