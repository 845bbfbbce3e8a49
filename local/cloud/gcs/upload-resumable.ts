// Resumable uploads: cloud.google.com/storage/docs/performing-resumable-uploads. A session's requests take turns; a new
// one ends the one before it, whose connection its client must have given up.
import { type FileHandle, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import type { Checksummer } from './checksum.ts';
import { type ContentWriter, createContentWriter } from './content-writer.ts';
import { invalid, StorageFault } from './fault.ts';
import { bodyOf, type Exchange, parseInput, readJsonBody, sendEmpty, sendJson } from './http-input.ts';
import { CHECKPOINT_BYTES, CHUNK_QUANTUM_BYTES } from './limits.ts';
import {
  assertObjectName,
  ObjectFields,
  ObjectInput,
  Precondition,
  toObjectResource,
} from './object-schema.ts';
import type { Storage } from './storage.ts';
import { openSessionData, type UploadSession } from './upload-session.ts';

/** What the Content-Range of an upload's request says. */
interface UploadRange {
  /** Undefined: the request carries no bytes, it only asks how far the upload is. */
  start: number | undefined;
  /** Inclusive; undefined: as far as the request's body goes. */
  end: number | undefined;
  /** The whole object's size, when the client knows it. */
  total: number | undefined;
}

export async function startResumable(exchange: Exchange, bucketName: string): Promise<void> {
  const { request, response, query, baseUrl } = exchange;
  const bucket = exchange.storage.buckets.get(bucketName);
  const input = await readJsonBody(request, ObjectInput);
  const name = query['name'] ?? input.name ?? '';
  assertObjectName(name);
  const { ifGenerationMatch } = parseInput(Precondition, query);
  exchange.storage.objects.assertWritable(bucket, name, ifGenerationMatch);
  const contentType = input.contentType ?? request.headers['x-upload-content-type'];
  const { record } = await exchange.storage.sessions.create({
    bucket: bucketName,
    name,
    fields: parseInput(ObjectFields, { ...input, contentType }),
    ifGenerationMatch,
  });
  const session = `uploadType=resumable&name=${encodeURIComponent(name)}&upload_id=${record.id}`;
  const location = `${baseUrl}/upload/storage/v1/b/${bucketName}/o?${session}`;
  sendEmpty(response, 200, { location, 'x-guploader-uploadid': record.id });
}

/** A chunk, the whole rest, or the question how far the upload is. */
export async function continueResumable(exchange: Exchange, id: string): Promise<void> {
  const session = exchange.storage.sessions.get(id);
  session.interrupt?.();
  await exchange.storage.sessions.lock.run(session.record.id, async () => {
    if (session.record.done) return answerDone(exchange, session);
    exchange.storage.sessions.get(session.record.id);
    const range = parseContentRange(exchange.request.headers['content-range']);
    const isEnd = await takeBytes(exchange, session, range);
    if (isEnd) await finish(exchange, session);
    else answerIncomplete(exchange.response, session.record.durableBytes);
  });
}

/** True when the object's last byte is in. */
async function takeBytes(exchange: Exchange, session: UploadSession, range: UploadRange): Promise<boolean> {
  const { durableBytes } = session.record;
  if (range.start === undefined) return range.total === durableBytes;
  assertChunk(range, durableBytes);
  const { file, checksummer } = await openSessionData(session);
  const writer = createContentWriter(file, durableBytes, checksummer);
  try {
    const endBytes = await receive(exchange, session, range, writer);
    const total = range.total ?? (range.end === undefined ? endBytes : undefined);
    if (endBytes !== total) return false;
    await writer.end();
    return true;
  } finally {
    await settle(exchange.storage, session, writer, checksummer, file);
  }
}

async function settle(
  storage: Storage,
  session: UploadSession,
  writer: ContentWriter,
  checksummer: Checksummer,
  file: FileHandle,
): Promise<void> {
  try {
    await writer.settle();
    await storage.sessions.save(session, { durableBytes: writer.writtenBytes() });
    session.checksummer = checksummer;
  } finally {
    await file.close();
  }
}

function assertChunk({ start = 0, end, total }: UploadRange, durableBytes: number): void {
  if (start > durableBytes)
    throw invalid(`Invalid Content-Range: starts at ${start}, but only ${durableBytes} bytes were received.`);
  if (end === undefined || (total !== undefined && end + 1 >= total)) return;
  const length = end - start + 1;
  if (length < CHUNK_QUANTUM_BYTES)
    throw invalid(
      `Invalid request. The number of bytes uploaded is required to be equal or greater than ${CHUNK_QUANTUM_BYTES}, ` +
        `except for the final request (it's recommended to be the exact multiple of ${CHUNK_QUANTUM_BYTES}). ` +
        `The received request contained ${length} bytes, which does not meet this requirement.`,
    );
}

/** Returns where in the object the request's body ended. Bytes that are durable already are skipped. */
async function receive(
  exchange: Exchange,
  session: UploadSession,
  { start = 0, end, total }: UploadRange,
  writer: ContentWriter,
): Promise<number> {
  const { durableBytes } = session.record;
  const limit = end === undefined ? (total ?? Infinity) : end + 1;
  let position = start;
  let checkpoint = durableBytes + CHECKPOINT_BYTES;
  session.interrupt = () => exchange.request.destroy();
  try {
    for await (const chunk of bodyOf(exchange.request)) {
      const skipped = Math.min(chunk.length, Math.max(0, durableBytes - position));
      position += chunk.length;
      if (position > limit) throw invalid('The request holds more bytes than its Content-Range says.');
      await writer.write(chunk.subarray(skipped));
      if (writer.writtenBytes() < checkpoint) continue;
      await writer.checkpoint();
      await exchange.storage.sessions.save(session, { durableBytes: writer.writtenBytes() });
      checkpoint = writer.writtenBytes() + CHECKPOINT_BYTES;
    }
  } finally {
    session.interrupt = undefined;
  }
  return position;
}

async function finish(exchange: Exchange, session: UploadSession): Promise<void> {
  const { record } = session;
  const bucket = exchange.storage.buckets.get(record.bucket);
  const { file, checksummer } = await openSessionData(session);
  await file.close();
  const checksums = checksummer.digest();
  session.checksummer = checksummer;
  try {
    const done = await exchange.storage.objects.commit({
      bucket,
      name: record.name,
      fields: record.fields,
      content: { path: session.dataPath, sizeBytes: record.durableBytes, checksums },
      ifGenerationMatch: record.ifGenerationMatch,
      uploadId: record.id,
    });
    await exchange.storage.sessions.save(session, { done });
    await rm(session.dataPath, { force: true });
  } catch (thrown) {
    // Refused for good: the client has to start over.
    if (thrown instanceof StorageFault && !thrown.retryable) await exchange.storage.sessions.remove(session);
    throw thrown;
  }
  await answerDone(exchange, session);
}

async function answerDone(exchange: Exchange, session: UploadSession): Promise<void> {
  const { done } = session.record;
  if (!done) throw new StorageFault(500, 'The upload session has no object.');
  const bucket = exchange.storage.buckets.get(done.bucket);
  sendJson(exchange.response, 200, toObjectResource(done, bucket.record, exchange.baseUrl));
}

/** 308 with the bytes that are durable; without a Range header when there are none. */
function answerIncomplete(response: ServerResponse, durableBytes: number): void {
  sendEmpty(response, 308, durableBytes > 0 ? { range: `bytes=0-${durableBytes - 1}` } : {});
}

/** `bytes a-b/N`, `bytes a-b/*`, `bytes a-*\/*`, `bytes *\/N`, `bytes *\/*`. */
function parseContentRange(header: string | undefined): UploadRange {
  const match = /^bytes (?:\*|(\d{1,15})-(-1|\d{1,15}|\*))\/(\d{1,15}|\*)$/.exec(header?.trim() ?? '');
  if (!match) throw invalid(`Failed to parse Content-Range header: ${header}`);
  const [, first, last, size] = match;
  const [start, end, total] = [numberOf(first), numberOf(last), numberOf(size)];
  // Clients write an empty last chunk as `bytes 0--1/0` or `5-4/5`; only further apart is nonsense.
  const isBackwards = start !== undefined && end !== undefined && end < start - 1;
  const isBeyondTotal = end !== undefined && total !== undefined && end >= total && total > 0;
  if (isBackwards || isBeyondTotal) throw invalid(`Invalid Content-Range header: ${header}`);
  return { start, end, total };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || text === '*' ? undefined : Number(text);
}
