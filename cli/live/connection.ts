// One WebSocket to the relay, as a viewer: frames in, and how it came to its end.
import { WebSocket } from 'ws';
import {
  type KeyUse,
  MAX_FRAME_BYTES,
  offeredProtocols,
  parseFrame,
  ToViewerFrame,
} from '#shared/live/frames.ts';

/** `refused`: the relay said no (HTTP status). `dropped`: the connection broke; coming back may help. */
export type ConnectionEnd =
  | { how: 'refused'; status: number }
  | { how: 'dropped'; why: string }
  | { how: 'closed' };

export interface ViewerTerms {
  url: string;
  use: KeyUse;
  key: string;
  /** Number of the first line that is wanted; for a resumed stream. */
  next: number;
  signal: AbortSignal;
  onFrame(frame: ToViewerFrame): void;
}

/** Longer than two of the relay's pings: silence for this long is a dead connection. */
const SILENCE_MS = 40_000;
const CLOSE_TIMEOUT_MS = 1000;
const NORMAL_CLOSURE = 1000;

/** Connects, passes frames on, and resolves when the connection is over. `signal` closes it politely. */
export function watchRelay(terms: ViewerTerms): Promise<ConnectionEnd> {
  const url = new URL(terms.url);
  if (terms.use === 'resume') url.searchParams.set('next', String(terms.next));
  const socket = new WebSocket(url, offeredProtocols(terms.use, terms.key), {
    maxPayload: MAX_FRAME_BYTES,
    handshakeTimeout: 10_000,
    perMessageDeflate: false,
    followRedirects: false,
  });
  let why = 'the relay went away';
  let end: ConnectionEnd | undefined;
  const silence = setTimeout(() => socket.terminate(), SILENCE_MS);
  const leave = () => {
    socket.close(NORMAL_CLOSURE);
    setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
  };
  terms.signal.addEventListener('abort', leave, { once: true });
  if (terms.signal.aborted) leave();
  socket.on('ping', () => silence.refresh());
  // One buffer per message, instead of ws's choice of three shapes.
  socket.binaryType = 'nodebuffer';
  socket.on('message', (data) => {
    silence.refresh();
    const frame = Buffer.isBuffer(data) ? parseFrame(ToViewerFrame, data.toString('utf8')) : undefined;
    if (frame) terms.onFrame(frame);
  });
  socket.on('unexpected-response', (_request, response) => {
    end = { how: 'refused', status: response.statusCode ?? 0 };
    // Whoever listens for this event must end the handshake.
    socket.terminate();
  });
  socket.on('error', (error) => {
    why = error.message;
  });
  return new Promise((resolve) => {
    socket.on('close', (code) => {
      clearTimeout(silence);
      terms.signal.removeEventListener('abort', leave);
      resolve(end ?? (code === NORMAL_CLOSURE ? { how: 'closed' } : { how: 'dropped', why }));
    });
  });
}
