import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningGcs, runGcs, statusOf } from './running-server.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
const SIMPLE = { resumable: false } as const;

let now = Date.parse('2026-11-23T00:00:00Z');
let gcs: RunningGcs;
beforeAll(async () => {
  gcs = await runGcs({ clock: () => new Date(now) });
});
afterAll(() => gcs.close());

const WAYS = {
  delete: (bucket) => bucket.file('x').delete(),
  'a simple overwrite': (bucket) => bucket.file('x').save('new', SIMPLE),
  'a resumable overwrite': (bucket) => bucket.file('x').save('new', { resumable: true }),
} satisfies Record<string, (bucket: RunningGcs['bucket']) => Promise<unknown>>;

test.each(Object.entries(WAYS))(
  'the retention policy refuses %s until it ends, over a restart',
  async (way, replace) => {
    const bucket = gcs.bucket.storage.bucket(way.replaceAll(' ', '-'));
    // The client's type of a new bucket leaves the policy out; the API takes it.
    await bucket.create({ retentionPolicy: { retentionPeriod: 30 * 24 * 60 * 60 } } as object);
    await gcs.restart();
    const file = bucket.file('x');
    await file.save('old', SIMPLE);
    expect(file.metadata.retentionExpirationTime).toBe(new Date(now + 30 * DAY_MS).toISOString());
    now += 30 * DAY_MS - 1;
    expect(await statusOf(replace(bucket))).toBe(403);
    expect((await file.download())[0].toString()).toBe('old');
    const path = `${gcs.server.url}/storage/v1/b/${bucket.name}/o/x`;
    expect(await (await fetch(path, { method: 'DELETE' })).json()).toMatchObject({
      error: { code: 403, errors: [{ domain: 'global', reason: 'retentionPolicyNotMet' }] },
    });
    now += 1;
    await replace(bucket);
  },
);
