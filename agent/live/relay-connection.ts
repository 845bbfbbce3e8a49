// One WebSocket of the agent's to the relay, dialled out: frames in and out, and how it ended.
import { WebSocket } from 'ws';
import {
  type KeyUse,
  MAX_FRAME_BYTES,
  offeredProtocols,
  parseFrame,
  ToAgentFrame,
} from '#shared/live/frames.ts';

/** `refused`: the relay said no (HTTP status). `dropped`: it broke; coming back may help. `closed`: it is over. */
export type ConnectionEnd =
  | { how: 'refused'; status: number }
  | { how: 'dropped'; why: string }
  | { how: 'closed' };

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
export function dialRelay(
  url: string,
  use: KeyUse,
  key: string,
  onFrame: (frame: ToAgentFrame) => void,
): RelayConnection {
  const socket = new WebSocket(url, offeredProtocols(use, key), {
    maxPayload: MAX_FRAME_BYTES,
    handshakeTimeout: 10_000,
    perMessageDeflate: false,
    followRedirects: false,
  });
  socket.binaryType = 'nodebuffer';
  let end: ConnectionEnd | undefined;
  let why = 'the relay went away';
  const silence = setTimeout(() => socket.terminate(), SILENCE_MS);
  socket.on('ping', () => silence.refresh());
  socket.on('message', (data) => {
    silence.refresh();
    const frame = Buffer.isBuffer(data) ? parseFrame(ToAgentFrame, data.toString('utf8')) : undefined;
    if (frame) onFrame(frame);
  });
  socket.on('unexpected-response', (_request, response) => {
    end = { how: 'refused', status: response.statusCode ?? 0 };
    // Whoever listens for this event must end the handshake.
    socket.terminate();
  });
  socket.on('error', (error) => {
    why = error.message;
  });
  const ended = new Promise<ConnectionEnd>((resolve) => {
    socket.once('close', (code) => {
      clearTimeout(silence);
      resolve(end ?? (code === NORMAL_CLOSURE ? { how: 'closed' } : { how: 'dropped', why }));
    });
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
    ended,
  };
}
