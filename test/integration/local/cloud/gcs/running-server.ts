// One server on a directory of its own, the real client pointed at it, and a checksum that is not the server's.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bucket, CRC32C, Storage } from '@google-cloud/storage';
import { type GcsOptions, type GcsServer, startGcs } from '#local/cloud/gcs/server.ts';

export interface RunningGcs {
  server: GcsServer;
  bucket: Bucket;
  dataDir: string;
  /** Stops the server and starts another one on the same directory and port. */
  restart(options?: Partial<GcsOptions>): Promise<void>;
  close(): Promise<void>;
}

export async function runGcs(options: Partial<GcsOptions> = {}): Promise<RunningGcs> {
  const dataDir = mkdtempSync(join(tmpdir(), 'lamplighter-gcs-'));
  const server = await startGcs({ host: '127.0.0.1', dataDir, ...options });
  const bucket = clientOf(server.url).bucket('backups');
  await bucket.create();
  const running: RunningGcs = {
    server,
    bucket,
    dataDir,
    restart: async (changed = {}) => {
      await running.server.close();
      const port = Number(new URL(server.url).port);
      running.server = await startGcs({ host: '127.0.0.1', ...options, ...changed, dataDir, port });
    },
    close: async () => {
      await running.server.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return running;
}

export interface SpawnedGcs {
  url: string;
  /** The most memory that the process ever held. */
  peakMemoryBytes(): number;
  kill(): Promise<void>;
}

const SERVER_PROGRAM = `
  import { startGcs } from '#local/cloud/gcs/server.ts';
  const { url } = await startGcs({ host: '127.0.0.1', dataDir: process.argv[1] });
  console.log(url);
  // A test that fails before it kills takes its server with it.
  process.stdin.on('end', () => process.exit()).resume();
`;

/** A server in a process of its own: to be killed with -9, or to have its memory measured. */
export async function spawnGcs(dataDir: string): Promise<SpawnedGcs> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SERVER_PROGRAM, dataDir], {
    cwd: join(import.meta.dirname, '../../../../..'),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  return {
    url: String(line).trim(),
    peakMemoryBytes: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

export function clientOf(url: string): Storage {
  return new Storage({
    apiEndpoint: url,
    projectId: 'test',
    retryOptions: { maxRetries: 3, retryDelayMultiplier: 1, maxRetryDelay: 1 },
  });
}

/** Bytes that repeat nowhere near a chunk's size, so that a chunk in the wrong place shows. */
export function bytesOf(size: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
  return bytes;
}

export function checksumsOf(bytes: Buffer): { crc32c: string; md5Hash: string } {
  const crc32c = new CRC32C();
  crc32c.update(bytes);
  return { crc32c: crc32c.toString(), md5Hash: createHash('md5').update(bytes).digest('base64') };
}

export interface CuttingProxy {
  url: string;
  cuts: number;
  close(): Promise<void>;
}

/** Forwards to the server, but cuts each of the first connections that carries more than so many bytes. */
export async function startCuttingProxy(
  target: string,
  afterBytes: number,
  times: number,
): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const proxy: CuttingProxy = { url: '', cuts: 0, close: () => closeAll(server, sockets) };
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let seen = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.on('data', (chunk: Buffer) => {
      seen += chunk.length;
      upstream.write(chunk);
      if (seen <= afterBytes || proxy.cuts >= times) return;
      proxy.cuts += 1;
      client.resetAndDestroy();
      // The bytes that were sent arrive, then the connection breaks.
      setTimeout(() => upstream.resetAndDestroy(), 20);
    });
    upstream.pipe(client);
    client.on('end', () => upstream.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address === 'object' && address) proxy.url = `http://127.0.0.1:${address.port}`;
  return proxy;
}

function closeAll(server: Server, sockets: Set<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** 200, or the status of the refusal; the client names it `status` when it could not begin a resumable upload. */
export function statusOf(work: Promise<unknown>): Promise<number | undefined> {
  return work.then(
    () => 200,
    (error: { code?: number; status?: number }) =>
      typeof error.code === 'number' ? error.code : error.status,
  );
}
