// Reads a request's body before the functions framework can: its parsers would take up to 1 GB, unpack it, and parse it as
// JSON before anybody has said who asks.
import type { IncomingMessage } from 'node:http';
import { LamplighterError } from '#shared/errors.ts';

/** Bytes of bodies that one process holds at a time, so that many at once can't use up its memory either. */
export interface ByteBudget {
  /** Takes bytes; false when there are not as many left. */
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
}

export interface BodyTerms {
  maxBytes: number;
  /** The whole body must be there after this long. */
  timeoutMs: number;
  budget: ByteBudget;
}

/** A budget of `totalBytes`. */
export function createByteBudget(totalBytes: number): ByteBudget {
  let held = 0;
  return {
    take: (bytes) => {
      if (held + bytes > totalBytes) return false;
      held += bytes;
      return true;
    },
    giveBack: (bytes) => {
      held -= bytes;
    },
  };
}

function refusal(status: number, fault: string, hint?: string): LamplighterError {
  return new LamplighterError('invalid-input', `read body: ${fault}`, {
    details: { status },
    ...(hint === undefined ? {} : { hint }),
  });
}

function tooLarge(maxBytes: number): LamplighterError {
  return refusal(413, `larger than ${maxBytes} bytes`);
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]+)/i;
const KNOWN_CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii']);

/** What the headers alone say against a body, or undefined. */
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
  return Number(headers['content-length'] ?? 0) > maxBytes ? tooLarge(maxBytes) : undefined;
}

/**
 * The body's bytes, counted as they come, whatever the headers say. `heldBytes` stay in the budget until the caller gives
 * them back. Throws `invalid-input` (408, 413, 415) or `unavailable` (the budget is used up, or the sender has gone).
 */
export async function readBody(req: IncomingMessage, { maxBytes, timeoutMs, budget }: BodyTerms) {
  const fault = faultOfHead(req.headers, maxBytes);
  if (fault) throw fault;
  const bytes = createGrowingBytes(maxBytes, budget);
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(refusal(408, `not whole after ${timeoutMs} ms`)), timeoutMs);
      const settle = (error?: unknown): void => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      };
      req.on('data', (piece: Buffer) => {
        const outcome = bytes.add(piece);
        if (outcome !== 'added') settle(outcome === 'busy' ? busy() : tooLarge(maxBytes));
      });
      req.once('end', () => settle());
      req.once('close', () => settle(gone()));
      req.once('error', () => settle(gone()));
    });
    return { bytes: bytes.view(), heldBytes: bytes.heldBytes() };
  } catch (error) {
    budget.giveBack(bytes.heldBytes());
    throw error;
  } finally {
    req.removeAllListeners('data');
  }
}

/**
 * Bytes in one buffer that doubles. A list of the pieces would cost some hundred bytes for each, and whoever sends decides
 * how many there are: one byte may be a piece.
 */
function createGrowingBytes(maxBytes: number, budget: ByteBudget) {
  let held = Buffer.alloc(0);
  let length = 0;
  return {
    add: (piece: Buffer): 'added' | 'busy' | 'too-large' => {
      const needed = length + piece.byteLength;
      if (needed > maxBytes) return 'too-large';
      if (needed > held.byteLength) {
        const capacity = Math.min(maxBytes, Math.max(needed, held.byteLength * 2));
        if (!budget.take(capacity - held.byteLength)) return 'busy';
        // Never of the pool that small buffers share, which would hold more than is counted.
        const grown = Buffer.alloc(capacity);
        held.copy(grown, 0, 0, length);
        held = grown;
      }
      piece.copy(held, length);
      length = needed;
      return 'added';
    },
    view: () => held.subarray(0, length),
    heldBytes: () => held.byteLength,
  };
}

function busy(): LamplighterError {
  return new LamplighterError('unavailable', 'read body: too many bodies at once', { retryable: true });
}

function gone(): LamplighterError {
  return new LamplighterError('unavailable', 'read body: the sender has gone', { retryable: true });
}
