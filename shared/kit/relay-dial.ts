// One WebSocket to the relay, dialled by an agent or by a person's `lamp`: frames in and out, and how it ended.
import { WebSocket } from 'ws';
import type * as z from 'zod';
import { type KeyUse, MAX_FRAME_BYTES, offeredProtocols, parseFrame } from '../live/frames.ts';

/** `refused`: the relay said no (HTTP status). `dropped`: the connection broke; coming back may help. */
export type ConnectionEnd =
  | { how: 'refused'; status: number }
  | { how: 'dropped'; why: string }
  | { how: 'closed' };

export interface RelayOrder<F extends z.ZodType> {
  url: string | URL;
  use: KeyUse;
  key: string;
  /** What the relay says to this side. */
  frames: F;
  onFrame(frame: z.infer<F>): void;
}

export interface RelayConnection {
  /** False when the frame was not taken: the connection is not open. `onSent` runs when it has left this process. */
  send(frame: object, onSent: () => void): boolean;
  bufferedBytes(): number;
  /** Ends it politely once everything has been sent. */
  close(): void;
  ended: Promise<ConnectionEnd>;
}

/** Longer than two of the relay's pings: silence for this long is a dead connection. */
const SILENCE_MS = 40_000;
const CLOSE_TIMEOUT_MS = 2000;
const NORMAL_CLOSURE = 1000;

/** Dials the relay. */
export function dialRelay<F extends z.ZodType>(order: RelayOrder<F>): RelayConnection {
  const socket = new WebSocket(order.url, offeredProtocols(order.use, order.key), {
    maxPayload: MAX_FRAME_BYTES,
    handshakeTimeout: 10_000,
    perMessageDeflate: false,
    followRedirects: false,
  });
  // One buffer per message, instead of ws's choice of three shapes.
  socket.binaryType = 'nodebuffer';
  const silence = setTimeout(() => socket.terminate(), SILENCE_MS);
  socket.on('ping', () => silence.refresh());
  socket.on('message', (data) => {
    silence.refresh();
    const frame = Buffer.isBuffer(data) ? parseFrame(order.frames, data.toString('utf8')) : undefined;
    if (frame) order.onFrame(frame);
  });
  return {
    send(frame, onSent) {
      if (socket.readyState !== socket.OPEN) return false;
      socket.send(JSON.stringify(frame), () => onSent());
      return true;
    },
    bufferedBytes: () => socket.bufferedAmount,
    close() {
      socket.close(NORMAL_CLOSURE);
      setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
    },
    ended: awaitEnd(socket).finally(() => clearTimeout(silence)),
  };
}

async function awaitEnd(socket: WebSocket): Promise<ConnectionEnd> {
  let end: ConnectionEnd | undefined;
  let why = 'the relay went away';
  socket.on('unexpected-response', (_request, response) => {
    end = { how: 'refused', status: response.statusCode ?? 0 };
    // Whoever listens for this event must end the handshake.
    socket.terminate();
  });
  socket.on('error', (error) => {
    why = error.message;
  });
  return await new Promise((resolve) => {
    socket.once('close', (code) => {
      resolve(end ?? (code === NORMAL_CLOSURE ? { how: 'closed' } : { how: 'dropped', why }));
    });
  });
}
