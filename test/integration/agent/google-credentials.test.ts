// A VM that is not on Google: workload identity federation from a file, as far as the Authorization header that the bucket
// gets. (A service account's key goes the same way; the client asks Google's own address for its token in any case.)
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { agentGoogleEnvironment, googleEnvironment } from '#agent/config/google-credentials.ts';
import { UNITS, withGoogleCredentials } from '#agent/install/units.ts';

const CHILD = join(import.meta.dirname, '../../../agent/backup-stream/main.ts');
const AUDIENCE = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/vms/providers/ours';
const TOKEN = 'ya29.from-the-token-endpoint';

let dir: string;
let server: Server;
let url: string;
let asked: string[];

async function answer(request: IncomingMessage): Promise<{ status: number; type: string; body: string }> {
  if (request.url === '/token') {
    const form = new URLSearchParams(await text(request));
    asked.push(`token for ${form.get('subject_token')} of ${form.get('audience')}`);
    const issued = 'urn:ietf:params:oauth:token-type:access_token';
    const body = { access_token: TOKEN, issued_token_type: issued, expires_in: 3600, token_type: 'Bearer' };
    return { status: 200, type: 'application/json', body: JSON.stringify(body) };
  }
  asked.push(`object with ${request.headers.authorization ?? 'no credentials'}`);
  return { status: 200, type: 'application/octet-stream', body: 'content of the object' };
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-google-'));
  asked = [];
  server = createServer((request, response) => {
    void answer(request).then(({ status, type, body }) =>
      response.writeHead(status, { 'content-type': type }).end(body),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

function writeConfiguration(): string {
  const file = join(dir, 'google-credentials.json');
  writeFileSync(join(dir, 'token'), 'the-token-of-the-vm');
  const configuration = {
    type: 'external_account',
    audience: AUDIENCE,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${url}/token`,
    credential_source: { file: join(dir, 'token') },
  };
  writeFileSync(file, JSON.stringify(configuration));
  return file;
}

async function fetchObject(environment: Record<string, string>): Promise<string> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--no-deprecation', CHILD, 'fetch', '--bucket', 'backups', '--object', 'a'],
    {
      env: { HOME: '/nonexistent', STORAGE_API_ENDPOINT: url, ...environment },
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    },
  );
  const [content] = await Promise.all([text(child.stdout!), once(child, 'close')]);
  return content;
}

test("the child that carries backups asks the token endpoint with the VM's own token, and the bucket with the answer", async () => {
  const environment = googleEnvironment(writeConfiguration());
  expect(await fetchObject(environment)).toBe('content of the object');
  expect(asked).toEqual([`token for the-token-of-the-vm of ${AUDIENCE}`, `object with Bearer ${TOKEN}`]);
});

test('without a file nothing is given, and the VM is asked for its own identity', () => {
  expect(googleEnvironment(join(dir, 'none.json'))).toEqual({});
  expect(agentGoogleEnvironment(dir)).toEqual({});
});

test("the agent finds root's file where systemd puts it", () => {
  const file = writeConfiguration();
  expect(agentGoogleEnvironment(dir)).toEqual({ GOOGLE_APPLICATION_CREDENTIALS: file });
  const unit = withGoogleCredentials(UNITS['lamplighter-agent.service'] ?? '');
  expect(unit).toMatch(
    /^LoadCredential=agent\.key:\S+\nLoadCredential=google-credentials\.json:\/etc\/lamplighter\/google-credentials\.json$/m,
  );
});
