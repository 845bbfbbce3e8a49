// One line from a peer on a socket of root's: bounded, within a time, and then nothing more is read.
import type { Socket } from 'node:net';

const DEADLINE_MS = 10_000;

/** Reads the first line. Rejects when none came in time, it was too large, or the peer went away. */
export function readLine(socket: Socket, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const late = (): void => settle(() => reject(new Error('no handover came')));
    const timer = setTimeout(late, DEADLINE_MS);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      // Nothing more is read or kept, whatever else the peer sends.
      socket.removeAllListeners('data').pause();
      act();
    };
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) settle(() => resolve(text.slice(0, end)));
      else if (text.length > maxBytes) settle(() => reject(new Error('the handover is too large')));
    });
    socket.once('end', () => settle(() => reject(new Error('the handover ended early'))));
    socket.on('error', (error) => settle(() => reject(error)));
  });
}
