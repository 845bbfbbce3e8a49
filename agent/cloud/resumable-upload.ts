// Uploads one file to one object over Cloud Storage's resumable protocol: after a failure the bucket is asked what it has,
// and the rest is sent (cloud.google.com/storage/docs/performing-resumable-uploads).
import { read } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';

/** A multiple of 256 KiB. */
const CHUNK_BYTES = 16 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 120_000;
/** Failures in a row, without a byte of progress between them; about half a minute. */
const MAX_FAILURES = 7;
const FIRST_PAUSE_MS = 250;
const MAX_TOLD_LENGTH = 300;

export interface UploadOrder {
  object: string;
  fd: number;
  bytes: number;
  crc32c: string;
}

export interface UploadTarget {
  /** Begins a session and gives its address. */
  openSession(): Promise<string>;
  /** The object of this name; undefined when there is none, or the bucket does not show it. */
  findObject(): Promise<StoredObject | undefined>;
}

export const StoredObject = z.object({ size: z.coerce.number(), crc32c: z.string() });
export type StoredObject = z.infer<typeof StoredObject>;

/** An HTTP answer that is neither success nor "resume". */
class UploadFault extends LamplighterError {
  readonly status: number;
  constructor(status: number, reason: string) {
    super('unavailable', `HTTP ${status}${reason === '' ? '' : `: ${reason}`}`, {
      retryable: status === 408 || status === 429 || status >= 500,
    });
    this.status = status;
  }
}

type Answer = { done: StoredObject } | { nextByte: number };

const GoogleError = z.object({ error: z.object({ message: z.string() }) });

/** The reason that an answer gives for a failure, in one short line. */
export function reasonOf(text: string): string {
  let said: string;
  try {
    said = GoogleError.parse(JSON.parse(text)).error.message;
  } catch {
    said = text.replaceAll(/<[^>]*>/g, ' ');
  }
  return said.replaceAll(/\s+/g, ' ').trim().slice(0, MAX_TOLD_LENGTH);
}

async function put(session: string, range: string, body: Buffer | undefined): Promise<Answer> {
  const response = await fetch(session, {
    method: 'PUT',
    headers: { 'Content-Range': range },
    body: body === undefined ? null : new Uint8Array(body),
    redirect: 'manual',
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  const text = await response.text();
  if (response.status === 308) {
    const [, last] = /^bytes=0-(\d+)$/.exec(response.headers.get('range') ?? '') ?? [];
    return { nextByte: last === undefined ? 0 : Number(last) + 1 };
  }
  if (!response.ok) throw new UploadFault(response.status, reasonOf(text));
  return { done: StoredObject.parse(JSON.parse(text)) };
}

const readAt = promisify(read);

async function sendFrom(session: string, { fd, bytes }: UploadOrder, from: number): Promise<Answer> {
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, bytes - from));
  for (let filled = 0; filled < chunk.length; ) {
    const { bytesRead } = await readAt(fd, chunk, filled, chunk.length - filled, from + filled);
    if (bytesRead === 0)
      throw new LamplighterError('corrupt', `its file on this host ends at byte ${from + filled}`);
    filled += bytesRead;
  }
  return await put(session, `bytes ${from}-${from + chunk.length - 1}/${bytes}`, chunk);
}

function isPassing(error: unknown): boolean {
  // Without an answer the network has failed.
  return error instanceof LamplighterError ? error.retryable : !(error instanceof z.ZodError);
}

/** True when the session is gone, or has expired after a week: then a new session begins. */
function isSessionGone(error: unknown): boolean {
  return error instanceof UploadFault && (error.status === 404 || error.status === 410);
}

function checkStored({ object, bytes, crc32c }: UploadOrder, stored: StoredObject): void {
  if (stored.size === bytes && stored.crc32c === crc32c) return;
  throw new LamplighterError(
    'conflict',
    `store ${object}: the bucket has another object of this name (${stored.size} bytes with CRC32C ${stored.crc32c}, not ${bytes} with ${crc32c})`,
    { hint: 'The bucket overwrites nothing. Find out who wrote that object, and take a new backup.' },
  );
}

interface Progress {
  session?: string;
  /** Undefined when the bucket must be asked first. */
  nextByte?: number | undefined;
  failures: number;
  sessions: number;
}

async function goOn(order: UploadOrder, target: UploadTarget, progress: Progress): Promise<Answer> {
  if (progress.session === undefined) {
    progress.session = await target.openSession();
    progress.nextByte = 0;
    progress.sessions += 1;
  }
  if (progress.nextByte === undefined)
    return await put(progress.session, `bytes */${order.bytes}`, undefined);
  return await sendFrom(progress.session, order, progress.nextByte);
}

/** Notes a failure and waits before the next attempt. Throws an error that no retry can mend. */
async function takeFailure(
  order: UploadOrder,
  target: UploadTarget,
  progress: Progress,
  error: unknown,
): Promise<void> {
  progress.failures += 1;
  const isGone = isSessionGone(error) && progress.session !== undefined && progress.sessions < MAX_FAILURES;
  if (!isGone && (!isPassing(error) || progress.failures >= MAX_FAILURES)) {
    const cause = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : '';
    throw new LamplighterError('unavailable', `store ${order.object}: ${messageOf(error)}${cause}`, {
      retryable: isPassing(error),
      cause: error,
    });
  }
  if (isGone) delete progress.session;
  progress.nextByte = undefined;
  await sleep(FIRST_PAUSE_MS * 2 ** (progress.failures - 1));
}

/**
 * Uploads a file whose size and checksum are known. An object that is there already, whole, stays as it is. Throws
 * `unavailable` with status and reason when the bucket refuses or can't be reached, `conflict` when it has another object of
 * this name.
 */
export async function uploadFile(order: UploadOrder, target: UploadTarget): Promise<void> {
  const progress: Progress = { failures: 0, sessions: 0 };
  let furthest = 0;
  const before = await target.findObject();
  if (before) return checkStored(order, before);
  for (;;) {
    try {
      const answer = await goOn(order, target, progress);
      if ('done' in answer) return checkStored(order, answer.done);
      progress.nextByte = answer.nextByte;
      if (answer.nextByte > furthest) progress.failures = 0;
      furthest = Math.max(furthest, answer.nextByte);
    } catch (error) {
      const isConflict = error instanceof LamplighterError && error.code === 'conflict';
      if (isConflict) throw error;
      // Another upload of the same file came first, or the answer to the last piece was lost.
      const stored =
        error instanceof UploadFault && error.status === 412 ? await target.findObject() : undefined;
      if (stored) return checkStored(order, stored);
      await takeFailure(order, target, progress, error);
    }
  }
}
