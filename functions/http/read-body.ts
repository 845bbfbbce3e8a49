// Reads a request's body before the functions framework can: its parsers would take up to 1 GB, decompress it, and parse it
// as JSON before the caller is authenticated.

import type { IncomingMessage } from 'node:http';
import { LamplighterError } from '#shared/errors.ts';
import type { BodyAccount, ByteBudget } from './byte-budget.ts';
import { HttpFault } from './fault.ts';

export interface BodyOptions {
  maxBytes: number;
  /** Time in which the whole body must arrive. */
  timeoutMs: number;
  budget: ByteBudget;
  /** The address of the request's sender. */
  address: string;
}

function refusal(status: number, fault: string, hint?: string, bytes?: number): LamplighterError {
  return new HttpFault('invalid-input', `read body: ${fault}`, {
    status,
    bytes,
    ...(hint === undefined ? {} : { hint }),
  });
}

function tooLarge(maxBytes: number, announced?: number): LamplighterError {
  return refusal(413, `larger than ${maxBytes} bytes`, undefined, announced);
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]+)/i;
const KNOWN_CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii']);

/** Why the headers alone make a body unacceptable, or undefined. */
export function faultOfHead(
  headers: IncomingMessage['headers'],
  maxBytes: number,
): LamplighterError | undefined {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    return refusal(415, 'content encodings are not accepted here', 'Send the body unpacked.');
  }
  const charset = CHARSET.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  if (!KNOWN_CHARSETS.has(charset.toLowerCase())) {
    return refusal(415, 'its charset is not accepted here', 'Send UTF-8.');
  }
  const announced = Number(headers['content-length'] ?? 0);
  return announced > maxBytes ? tooLarge(maxBytes, announced) : undefined;
}

/** A complete body. */
export interface WholeBody {
  bytes: Buffer;
  /** Returns the body's bytes to the budget. */
  release(): void;
}

/**
 * Reads the body and counts its bytes as they arrive, whatever the headers say. The bytes stay in the budget until they are
 * released. Throws `invalid-input` (408, 413, 415) or `unavailable` (the budget is used up, or the sender disconnected).
 */
export async function readBody(req: IncomingMessage, options: BodyOptions): Promise<WholeBody> {
  const { maxBytes, timeoutMs, budget, address } = options;
  const fault = faultOfHead(req.headers, maxBytes);
  if (fault) throw fault;
  const received = Promise.withResolvers<void>();
  const account = budget.open(address, () => received.reject(tooSlow('others need its room')));
  const bytes = createGrowingBytes(maxBytes, account);
  const timer = setTimeout(
    () => received.reject(tooSlow(`it is not whole after ${timeoutMs} ms`)),
    timeoutMs,
  );
  req.on('data', (piece: Buffer) => {
    const outcome = bytes.add(piece);
    if (outcome !== 'added') received.reject(outcome === 'busy' ? busy() : tooLarge(maxBytes));
  });
  req.once('end', () => received.resolve());
  req.once('close', () => received.reject(gone()));
  req.once('error', () => received.reject(gone()));
  try {
    await received.promise;
    account.finish();
    return { bytes: bytes.view(), release: account.close };
  } catch (error) {
    account.close();
    throw error;
  } finally {
    clearTimeout(timer);
    req.removeAllListeners('data');
  }
}

/**
 * Bytes in one buffer that doubles. A list of the pieces would cost some hundred bytes for each piece, and the sender decides
 * how many pieces there are: a piece may be one byte.
 */
function createGrowingBytes(maxBytes: number, account: BodyAccount) {
  let held = Buffer.alloc(0);
  let length = 0;
  return {
    add: (piece: Buffer): 'added' | 'busy' | 'too-large' => {
      const needed = length + piece.byteLength;
      if (needed > maxBytes) return 'too-large';
      if (needed > held.byteLength) {
        const capacity = Math.min(maxBytes, Math.max(needed, held.byteLength * 2));
        if (!account.take(capacity - held.byteLength)) return 'busy';
        // Not from the pool that small buffers share, which would hold more memory than is counted.
        const grown = Buffer.alloc(capacity);
        held.copy(grown, 0, 0, length);
        held = grown;
      }
      piece.copy(held, length);
      length = needed;
      return 'added';
    },
    view: () => held.subarray(0, length),
  };
}

function tooSlow(fault: string): LamplighterError {
  return refusal(408, fault, 'Send it again over a faster connection.');
}

function busy(): LamplighterError {
  return new LamplighterError('unavailable', 'read body: too many bodies at once', { retryable: true });
}

function gone(): LamplighterError {
  return new LamplighterError('unavailable', 'read body: the sender has gone', { retryable: true });
}
