// One side's place in a session: the socket that is there now, kept honest by pings.
import type { WebSocket } from 'ws';

/** How a side went: it said so, or the connection broke. */
export type Departure = 'left' | 'dropped';

export interface Seat {
  /** Sends a frame; `onSent` runs when it has left this process. */
  send(frame: object, onSent?: () => void): void;
  /** Bytes that wait for the network. */
  bufferedBytes(): number;
  isOpen(): boolean;
  /** Ends politely: a close frame, and soon after the connection. */
  close(): void;
  /** Breaks the connection at once. */
  terminate(): void;
}

export interface SeatTerms {
  pingEveryMs: number;
  onMessage(text: string): void;
  onGone(how: Departure): void;
}

const NORMAL_CLOSURE = 1000;
/** A browser tab that was closed. */
const GOING_AWAY = 1001;
const CLOSE_TIMEOUT_MS = 2000;

/** Takes a socket into a seat. `onGone` is called once. */
export function takeSeat(socket: WebSocket, terms: SeatTerms): Seat {
  let heard = true;
  const heartbeat = setInterval(() => {
    if (!heard) {
      socket.terminate();
      return;
    }
    heard = false;
    socket.ping();
  }, terms.pingEveryMs);
  // One buffer per message, instead of ws's choice of three shapes.
  socket.binaryType = 'nodebuffer';
  socket.on('pong', () => {
    heard = true;
  });
  socket.on('message', (data) => {
    heard = true;
    if (Buffer.isBuffer(data)) terms.onMessage(data.toString('utf8'));
  });
  // A 'close' follows every error; unheard, the error would end the process.
  socket.on('error', () => undefined);
  socket.once('close', (code) => {
    clearInterval(heartbeat);
    terms.onGone(code === NORMAL_CLOSURE || code === GOING_AWAY ? 'left' : 'dropped');
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
