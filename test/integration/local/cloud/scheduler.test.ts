import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Scheduler, startScheduler } from '#local/cloud/scheduler/scheduler.ts';

let server: Server;
let url: string;
let calls: { headers: IncomingHttpHeaders; method: string | undefined }[];
let scheduler: Scheduler | undefined;
let hold: Promise<void>;

beforeEach(async () => {
  calls = [];
  hold = Promise.resolve();
  server = createServer((request, response) => {
    calls.push({ headers: request.headers, method: request.method });
    void hold.then(() => response.writeHead(request.url === '/broken' ? 500 : 200).end('said'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await scheduler?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function start(path: string, everyMs: number, failures: string[] = []): Scheduler {
  scheduler = startScheduler({
    jobs: [{ name: 'watch', url: `${url}${path}`, everyMs, serviceAccountEmail: 'scheduler@example.com' }],
    mintIdToken: ({ serviceAccountEmail, audience }) =>
      Promise.resolve(`token of ${serviceAccountEmail} for ${audience}`),
    onFailure: (job, message) => failures.push(`${job}: ${message}`),
  });
  return scheduler;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('calls its target as Cloud Scheduler does', async () => {
  start('', 60_000);
  await until(() => calls.length === 1);
  expect(calls[0]?.method).toBe('POST');
  expect(calls[0]?.headers).toMatchObject({
    'user-agent': 'Google-Cloud-Scheduler',
    'x-cloudscheduler': 'true',
    'x-cloudscheduler-jobname': 'watch',
    authorization: `Bearer token of scheduler@example.com for ${url}`,
  });
});

test('skips a time while the run before is still going', async () => {
  let release = (): void => undefined;
  hold = new Promise((resolve) => {
    release = resolve;
  });
  start('', 10);
  await until(() => calls.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(calls).toHaveLength(1);
  release();
  await until(() => calls.length > 1);
});

test('tells a failure with the status and what the target said, and goes on', async () => {
  const failures: string[] = [];
  start('/broken', 10, failures);
  await until(() => failures.length > 1);
  expect(failures[0]).toMatch(/^watch: call http.*\/broken: status 500: said$/);
});
