// The agent's side of the runner's socket.
import { createConnection } from 'node:net';
import type * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';
import { AnswerLine, writeHandover } from '../runner/handover.ts';

const ANSWER_DEADLINE_MS = 30_000;

/** What to look at when the runner does not answer. */
export const RUNNER_HINT = 'On the host: systemctl status lamplighter-run.socket';

/**
 * Hands signed bytes to the runner and returns its answer. Throws `unavailable` when none came: then only the run's folder
 * shows whether the command began.
 */
export function askRunner(socketPath: string, signed: SignedBytes): Promise<z.infer<typeof AnswerLine>> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    let text = '';
    const fail = (detail: string): void => {
      socket.destroy();
      reject(
        new LamplighterError('unavailable', `hand over to the runner: ${detail}`, {
          retryable: true,
          hint: RUNNER_HINT,
        }),
      );
    };
    socket.setTimeout(ANSWER_DEADLINE_MS, () => fail(`no answer within ${ANSWER_DEADLINE_MS} ms`));
    socket.once('connect', () => socket.write(writeHandover(signed)));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end < 0) return;
      socket.destroy();
      const answer = AnswerLine.safeParse(parseJson(text.slice(0, end)));
      if (answer.success) resolve(answer.data);
      else fail('its answer has an unknown form');
    });
    socket.once('end', () => fail('the connection ended without an answer'));
    socket.once('error', (error) => fail(error.message));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
