// The only part of a backup that has the network, and an account that has nothing else: it compresses, hashes, and writes
// to the local file and to the bucket in one pass. What must stay secret is encrypted before it gets here.
import { createReadStream, createWriteStream, writeSync } from 'node:fs';
import { PassThrough, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { openObjectStore } from '../cloud/storage.ts';
import { createMeter } from './digest.ts';
import { APPROVAL, APPROVAL_FD, EXIT_NOT_FOUND, LOCAL_FD, RESULT_FD, type StreamResult } from './protocol.ts';

const ZSTD_LEVEL = 3;
/** Programs write a few kilobytes at a time; each trip through a stream and the compressor's thread costs the same for a lot. */
const PIECE_BYTES = 512 * 1024;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    bucket: { type: 'string' },
    object: { type: 'string' },
    compress: { type: 'boolean', default: false },
    // Without it there is no such descriptor: the runner keeps the local copy itself.
    local: { type: 'boolean', default: false },
  },
});

function need(name: 'bucket' | 'object'): string {
  const value = values[name];
  if (value === undefined || value === '') throw new Error(`--${name} is missing`);
  return value;
}

/** What comes in, in pieces worth the trip. */
async function* readInput(): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    const piece: Buffer = chunk;
    pieces.push(piece);
    bytes += piece.length;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(pieces, bytes);
    pieces = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pieces, bytes);
}

/** Waits until the runner says that all programs before this one ended well: their end alone looks the same when they were killed. */
async function awaitApproval(): Promise<void> {
  let said = '';
  for await (const chunk of createReadStream('', { fd: APPROVAL_FD, encoding: 'utf8' }))
    said += String(chunk);
  if (said !== APPROVAL) throw new Error('what was sent is not whole');
}

/** Writes to both; the slower sets the pace, and either's failure ends it. */
async function writeBoth(source: NodeJS.ReadableStream, local: Writable, remote: Writable): Promise<void> {
  const toLocal = new PassThrough();
  const toRemote = new PassThrough();
  const fork = async (): Promise<void> => {
    for await (const chunk of source) {
      const waits = [toLocal, toRemote].filter((branch) => !branch.write(chunk)).map(drained);
      if (waits.length > 0) await Promise.all(waits);
    }
    await awaitApproval();
    toLocal.end();
    toRemote.end();
  };
  await Promise.all([fork(), pipeline(toLocal, local), pipeline(toRemote, remote)]);
}

function drained(stream: PassThrough): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('drain', resolve);
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('a copy ended early')));
  });
}

async function store(): Promise<StreamResult> {
  const content = createMeter({ withCrc32c: false });
  const stored = createMeter({ withCrc32c: true });
  const encode = values.compress
    ? createZstdCompress({
        chunkSize: PIECE_BYTES,
        params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
      })
    : new PassThrough();
  const { stream: remote, finished } = openObjectStore(
    need('bucket'),
    process.env.STORAGE_API_ENDPOINT,
  ).create(need('object'));
  const local = values.local
    ? createWriteStream('', { fd: LOCAL_FD, autoClose: true })
    : new PassThrough().resume();
  const [bucketCrc32c] = await Promise.all([
    // First, since it says what was stored and why not.
    finished,
    pipeline(readInput(), content.stream, encode, stored.stream),
    writeBoth(stored.stream, local, remote),
  ]);
  const { bytes, sha256, crc32c } = stored.result();
  if (bucketCrc32c !== crc32c)
    throw new Error(`the bucket says CRC32C ${bucketCrc32c || 'nothing'}, sent ${crc32c}`);
  const { bytes: contentBytes, sha256: contentSha256 } = content.result();
  return { bytes, sha256, crc32c, contentBytes, contentSha256 };
}

async function fetchObject(): Promise<StreamResult> {
  const meter = createMeter({ withCrc32c: true });
  const source = openObjectStore(need('bucket'), process.env.STORAGE_API_ENDPOINT).read(need('object'));
  await pipeline(source, meter.stream, process.stdout);
  const { bytes, sha256, crc32c } = meter.result();
  return { bytes, sha256, crc32c, contentBytes: bytes, contentSha256: sha256 };
}

async function decode(): Promise<StreamResult> {
  const stored = createMeter({ withCrc32c: true });
  const content = createMeter({ withCrc32c: false });
  const decompress = createZstdDecompress({ chunkSize: PIECE_BYTES });
  await pipeline(readInput(), stored.stream, decompress, content.stream, process.stdout);
  const { bytes: contentBytes, sha256: contentSha256 } = content.result();
  return { ...stored.result(), contentBytes, contentSha256 };
}

const MODES: Record<string, () => Promise<StreamResult>> = { store, fetch: fetchObject, decode };

try {
  const run = MODES[positionals[0] ?? ''];
  if (!run) throw new Error('usage: backup-stream store|fetch|decode');
  const result = await run();
  writeSync(RESULT_FD, `${JSON.stringify(result)}\n`);
  process.exit(0);
} catch (error) {
  console.error(messageOf(error));
  process.exit(error instanceof LamplighterError && error.code === 'not-found' ? EXIT_NOT_FOUND : 1);
}
