// One side's place in a session: its current socket, checked by pings.
import type { WebSocket } from 'ws';

/** How a side left: it closed the connection, or the connection broke. */
export type Departure = 'left' | 'dropped';

export interface Seat {
  /** Sends a frame; `onSent` runs when the frame was handed to the network. */
  send(frame: object, onSent?: () => void): void;
  /** Bytes that are waiting for the network. */
  bufferedBytes(): number;
  isOpen(): boolean;
  /** Sends a close frame and closes the connection soon afterwards. */
  close(): void;
  /** Breaks the connection at once. */
  terminate(): void;
}

export interface SeatOptions {
  pingEveryMs: number;
  onMessage(text: string): void;
  onGone(how: Departure): void;
}

const NORMAL_CLOSURE = 1000;
/** The code of a browser tab that was closed. */
const GOING_AWAY = 1001;
const CLOSE_TIMEOUT_MS = 2000;

/** Seats a socket. `onGone` is called once. */
export function takeSeat(socket: WebSocket, options: SeatOptions): Seat {
  let heard = true;
  const heartbeat = setInterval(() => {
    if (!heard) {
      socket.terminate();
      return;
    }
    heard = false;
    socket.ping();
  }, options.pingEveryMs);
  // Each message as one buffer; ws would choose among three types.
  socket.binaryType = 'nodebuffer';
  socket.on('pong', () => {
    heard = true;
  });
  socket.on('message', (data) => {
    heard = true;
    if (Buffer.isBuffer(data)) options.onMessage(data.toString('utf8'));
  });
  // A 'close' follows every error. An error without a listener would end the process.
  socket.on('error', () => undefined);
  socket.once('close', (code) => {
    clearInterval(heartbeat);
    options.onGone(code === NORMAL_CLOSURE || code === GOING_AWAY ? 'left' : 'dropped');
  });
  return {
    send: (frame, onSent) => socket.send(JSON.stringify(frame), () => onSent?.()),
    bufferedBytes: () => socket.bufferedAmount,
    isOpen: () => socket.readyState === socket.OPEN,
    close: () => {
      socket.close(NORMAL_CLOSURE);
      setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS).unref();
    },
    terminate: () => socket.terminate(),
  };
}
