// Uploads through a connection that fails in every possible way: the bucket keeps the bytes that it has, and the rest is sent.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openObjectStore } from '#agent/cloud/storage.ts';
import { type GcsServer, startGcs } from '#local/cloud/gcs/server.ts';
import { createCrc32c } from '#shared/kit/crc32c.ts';

const CHUNK_BYTES = 16 * 1024 * 1024;
const CONTENT = Buffer.alloc(2 * CHUNK_BYTES + 5000, 'content of a dump ');
const BUCKET = 'backups';

type Kind = 'begin' | 'chunk' | 'status';
/** What happens to a request: passed on, answered with a status instead, cut, or passed on with its answer lost. */
type Fate = 'pass' | number | 'cut' | 'lose-answer';

let gcs: GcsServer;
let proxy: Server;
let url: string;
let fd: number;
let dir: string;
let seen: string[];
let decide: (kind: Kind, nth: number) => Fate;

function kindOf(req: IncomingMessage): Kind | undefined {
  if (req.method === 'POST') return 'begin';
  if (req.method !== 'PUT') return undefined;
  return req.headers['content-range']?.startsWith('bytes */') ? 'status' : 'chunk';
}

function passOn(req: IncomingMessage, res: ServerResponse, isAnswerLost: boolean): void {
  const { port, hostname } = new URL(gcs.url);
  // The bucket names its own address in the sessions that it opens; it takes it from the request.
  const upstream = request(
    { port, hostname, method: req.method, path: req.url, headers: req.headers },
    (answer) => {
      if (isAnswerLost) {
        answer.resume();
        answer.once('end', () => req.socket.destroy());
        return;
      }
      res.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(res);
    },
  );
  req.pipe(upstream);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-upload-'));
  gcs = await startGcs({ host: '127.0.0.1', dataDir: join(dir, 'gcs') });
  await new Storage({ apiEndpoint: gcs.url, projectId: 'test' }).bucket(BUCKET).create();
  proxy = createServer((req, res) => {
    const kind = kindOf(req);
    if (kind !== undefined) seen.push(kind);
    const fate = kind === undefined ? 'pass' : decide(kind, seen.filter((other) => other === kind).length);
    if (typeof fate === 'number') {
      req.resume();
      res.writeHead(fate, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify({ error: { code: fate, message: 'We are having a slow spell.' } }));
    } else if (fate === 'cut') req.socket.destroy();
    else passOn(req, res, fate === 'lose-answer');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  writeFileSync(join(dir, 'dump'), CONTENT);
  fd = openSync(join(dir, 'dump'), 'r');
});

beforeEach(() => {
  seen = [];
  decide = () => 'pass';
});

afterAll(async () => {
  closeSync(fd);
  proxy.closeAllConnections();
  proxy.close();
  await gcs.close();
  rmSync(dir, { recursive: true, force: true });
});

async function crc32cOf(bytes: Buffer): Promise<string> {
  const crc32c = await createCrc32c();
  crc32c.update(bytes);
  return crc32c.base64();
}

async function upload(object: string): Promise<void> {
  const order = { object, fd, bytes: CONTENT.length, crc32c: await crc32cOf(CONTENT) };
  await openObjectStore(BUCKET, url).upload(order);
}

async function stored(object: string): Promise<Buffer> {
  const bucket = new Storage({ apiEndpoint: gcs.url, projectId: 'test' }).bucket(BUCKET);
  // The test compares all bytes itself: the client's own sum is slow.
  return (await bucket.file(object).download({ validation: false }))[0];
}

test.each<[string, (kind: Kind, nth: number) => Fate]>([
  ['nothing fails', () => 'pass'],
  [
    'the second chunk and the question after it are answered with 503',
    (kind, nth) => ((kind === 'chunk' && nth === 2) || (kind === 'status' && nth === 1) ? 503 : 'pass'),
  ],
  ['each first request of a kind is answered with 503', (_kind, nth) => (nth === 1 ? 503 : 'pass')],
  ['a connection breaks in a chunk', (kind, nth) => (kind === 'chunk' && nth === 2 ? 'cut' : 'pass')],
  ['the answer to a chunk is lost', (kind, nth) => (kind === 'chunk' && nth === 1 ? 'lose-answer' : 'pass')],
  [
    'the answer to the last chunk is lost',
    (kind, nth) => (kind === 'chunk' && nth === 3 ? 'lose-answer' : 'pass'),
  ],
  ['it is asked to come back later', (kind, nth) => (kind === 'chunk' && nth < 3 ? 429 : 'pass')],
  ['the session is gone', (kind, nth) => (kind === 'chunk' && nth === 2 ? 410 : 'pass')],
])('the object is whole when %s', async (title, fate) => {
  decide = fate;
  const object = `whole/${title}`;
  await upload(object);
  expect((await stored(object)).equals(CONTENT)).toBe(true);
});

test('what is there already, whole, is not sent again', async () => {
  await upload('once');
  seen = [];
  await upload('once');
  expect(seen).toEqual([]);
});

test('something else of that name is never overwritten', async () => {
  const bucket = new Storage({ apiEndpoint: gcs.url, projectId: 'test' }).bucket(BUCKET);
  await bucket.file('taken').save('something else', { resumable: false });
  await expect(upload('taken')).rejects.toThrow(
    /store taken: the bucket has another object of this name \(14 bytes/,
  );
  expect((await stored('taken')).toString()).toBe('something else');
});

test('gives up after several failures without progress, with status and reason', async () => {
  decide = (kind, nth) => (kind === 'begin' || (kind === 'chunk' && nth === 1) ? 'pass' : 503);
  await expect(upload('never')).rejects.toThrow(
    expect.objectContaining({
      message: 'store never: HTTP 503: We are having a slow spell.',
      retryable: true,
    }),
  );
  // The first chunk, which the bucket has, and then seven failures.
  expect(seen).toHaveLength(1 + 1 + 7);
});

test('does not repeat what is refused', async () => {
  decide = () => 403;
  await expect(upload('refused')).rejects.toThrow(/store refused: HTTP 403: We are having a slow spell/);
  expect(seen).toEqual(['begin']);
});
