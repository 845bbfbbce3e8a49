// One handover on one connection: read, answered, carried out. The connection is systemd's (stdin) on a host.
import type { Socket } from 'node:net';
import { readLine } from '../host/socket-line.ts';
import { MAX_HANDOVER_BYTES, parseHandover } from './handover.ts';
import { admitHandover, carryOut, type HandoverAnswer, type Runner } from './run.ts';

/** Serves one connection; `owner` names who carries the command out, for the recovery. Resolves when the command has ended. */
export async function serveHandover(socket: Socket, owner: string, openRunner: () => Runner): Promise<void> {
  try {
    await serve(socket, owner, openRunner);
  } finally {
    // Once the answer is out: a peer that stays, or goes on sending, must not keep this process.
    socket.destroySoon();
  }
}

async function serve(socket: Socket, owner: string, openRunner: () => Runner): Promise<void> {
  const signed = parseHandover(await readLine(socket, MAX_HANDOVER_BYTES));
  if (!signed) return answer(socket, { accepted: false, reason: 'malformed', detail: 'not a handover' });
  const runner = openRunner();
  const { answer: line, envelope } = admitHandover(runner, signed, owner);
  // The agent follows the record, not the socket: it may die without taking the command with it.
  answer(socket, line);
  if (envelope) await carryOut(runner, envelope);
}

function answer(socket: Socket, line: HandoverAnswer): void {
  socket.end(`${JSON.stringify(line)}\n`);
}
