// What no client of Google's would send. After each of these the server still serves and stores nothing of it.
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type RunningGcs, runGcs } from './running-server.ts';

let gcs: RunningGcs;
beforeAll(async () => {
  gcs = await runGcs();
  await gcs.bucket.file('live').save('content', { resumable: false });
});
afterEach(async () => {
  expect((await gcs.bucket.file('live').download())[0].toString()).toBe('content');
  expect((await gcs.bucket.getFiles())[0].map(({ name }) => name)).toEqual(['live']);
});
afterAll(() => gcs.close());

const O = '/storage/v1/b/backups/o';
/** How the schema library speaks, which a person never sees. */
const SCHEMA_WORDS = /Invalid (?:input|option|string)|Too (?:small|big)|Unrecognized|received/;
const UPLOAD = '/upload/storage/v1/b/backups/o';

test.each([
  ['GET', '/', undefined, 501],
  ['GET', '/storage/v1', undefined, 501],
  ['GET', '/storage/v1/b', undefined, 501],
  ['GET', '/storage/v1/b/nosuch', undefined, 404],
  ['GET', '/storage/v1/b/nosuch/o', undefined, 404],
  ['GET', `${O}/nosuch`, undefined, 404],
  ['GET', `${O}/%zz`, undefined, 400],
  ['GET', `${O}/%ff%fe`, undefined, 400],
  ['GET', `${O}?maxResults=many`, undefined, 400],
  ['GET', `${O}?pageToken=*`, undefined, 400],
  ['GET', `${O}?matchGlob=**`, undefined, 501],
  ['GET', `${O}?delimiter=/`, undefined, 501],
  ['GET', `${O}/live?generation=1`, undefined, 404],
  ['DELETE', `${O}/live?ifGenerationMatch=-`, undefined, 400],
  ['DELETE', `${O}/live?ifMetagenerationMatch=1`, undefined, 501],
  ['PUT', O, undefined, 501],
  ['PATCH', `${O}/live`, '{"contentType":"text/plain"}', 501],
  ['POST', '/storage/v1/b', '{"name":', 400],
  ['POST', '/storage/v1/b', '{"name":"x/../../y"}', 400],
  ['POST', '/storage/v1/b', '{"name":"other","retentionPolicy":{"retentionPeriod":"-1"}}', 400],
  ['POST', '/storage/v1/b', '[]', 400],
  ['POST', '/storage/v1/b', 'x'.repeat(1_100_000), 413],
  ['POST', `${O}/x/compose`, '{"sourceObjects":[]}', 501],
  ['POST', `${O}/nosuch/rewriteTo/b/backups/o/x`, '{}', 501],
  ['POST', `${UPLOAD}?uploadType=media&name=x`, 'x', 501],
  ['POST', `${UPLOAD}?uploadType=multipart&name=x`, 'x', 400],
  ['POST', `${UPLOAD}?uploadType=other&name=x`, 'x', 501],
  ['POST', `${UPLOAD}?uploadType=resumable&name=x`, '{"contentType":1}', 400],
  ['POST', `${UPLOAD}?uploadType=resumable&name=x`, '{"contentType":"a\\r\\nx-evil: 1"}', 400],
  ['PUT', `${UPLOAD}?uploadType=resumable&upload_id=../../etc`, 'x', 404],
  ['POST', '/batch/storage/v1', 'x', 501],
])('%s %s', async (method, path, body, status) => {
  const answer = await fetch(`${gcs.server.url}${path}`, { method, ...(body === undefined ? {} : { body }) });
  const told = await answer.json();
  expect(told).toMatchObject({
    error: { code: status, message: expect.stringMatching(/\S/), errors: [{ domain: 'global' }] },
  });
  expect(told).toMatchObject({ error: { message: expect.not.stringMatching(SCHEMA_WORDS) } });
  expect(answer.status).toBe(status);
});

test('refuses a part of an object rather than sending the whole', async () => {
  const headers = { range: 'bytes=0-1' };
  expect((await fetch(`${gcs.server.url}${O}/live?alt=media`, { headers })).status).toBe(501);
});

test('refuses a key of the customer rather than storing without it', async () => {
  const answer = await fetch(`${gcs.server.url}${UPLOAD}?uploadType=resumable&name=x`, {
    method: 'POST',
    headers: { 'x-goog-encryption-algorithm': 'AES256' },
  });
  expect(answer.status).toBe(501);
});

/** What comes back until an answer's head is whole or the server closes; where silence is expected, within 200 ms. */
function sendRaw(bytes: string, expectsSilence: boolean): Promise<string> {
  const { hostname, port } = new URL(gcs.server.url);
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (chunk) => {
      received += chunk.toString();
      if (received.includes('\r\n\r\n')) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(received));
    if (expectsSilence) setTimeout(() => socket.destroy(), 200);
  });
}

const POST = `POST ${UPLOAD}?uploadType=multipart&name=half HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/related; boundary=b\r\n`;
test.each([
  ['no HTTP at all', '\u0000\u0001garbage\r\n\r\n', /^HTTP\/1.1 400/],
  ['a path outside', 'GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', / 501 /],
  [
    'an object named .. does not mean its bucket',
    'DELETE /storage/v1/b/backups/o/.. HTTP/1.1\r\nHost: x\r\n\r\n',
    / 404 /,
  ],
  ['a host that is none', 'GET /storage/v1/b/backups HTTP/1.1\r\nHost: a/b?c\r\n\r\n', / 200 /],
  ['a body shorter than its length', `${POST}Content-Length: 100\r\n\r\nshort`, /^$/],
  ['a chunk that is cut', `${POST}Transfer-Encoding: chunked\r\n\r\nff\r\nshort`, /^$/],
  ['a chunk that is none', `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\nshort`, /400|^$/],
])('%s', async (_what, bytes, expected) => {
  expect(await sendRaw(bytes, expected.test(''))).toMatch(expected);
});
