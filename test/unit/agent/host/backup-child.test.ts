import { afterEach, expect, test, vi } from 'vitest';
import { childEnvironment } from '#agent/host/backup-child.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('what decodes a dump is told nothing of the bucket', () => {
  vi.stubEnv('STORAGE_API_ENDPOINT', 'http://127.0.0.1:1');
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '/etc/lamplighter/key.json');
  expect(childEnvironment('decode')).toEqual({ HOME: '/nonexistent' });
  expect(childEnvironment('fetch')).toMatchObject({ STORAGE_API_ENDPOINT: 'http://127.0.0.1:1' });
});
