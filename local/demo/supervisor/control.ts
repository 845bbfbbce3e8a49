// The supervisor's control socket: one line with systemctl's arguments, one line back. Reached below the host's root
// only, which its owner alone may enter.
import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { messageOf } from '#shared/errors.ts';
import { onLines } from '#shared/lines.ts';
import type { Supervisor } from './supervisor.ts';
import { answerSystemctl } from './systemctl.ts';
import { CONTROL_SOCKET } from './systemctl-answer.ts';

const Arguments = z.array(z.string()).max(1000);

async function answer(supervisor: Supervisor, line: string): Promise<string> {
  try {
    return JSON.stringify(await answerSystemctl(supervisor, Arguments.parse(JSON.parse(line))));
  } catch (error) {
    return JSON.stringify({ code: 1, stdout: '', stderr: `${messageOf(error)}\n` });
  }
}

/** Listens for the stand-in of systemctl; returns what ends it. */
export async function listenForControl(supervisor: Supervisor, root: string): Promise<() => void> {
  const path = join(root, CONTROL_SOCKET);
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    // The caller may be gone before the answer is ready.
    socket.on('error', () => undefined);
    let isAsked = false;
    onLines(socket, (line) => {
      if (isAsked) return;
      isAsked = true;
      void answer(supervisor, line).then((text) => socket.end(`${text}\n`));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return () => {
    server.close();
    rmSync(path, { force: true });
  };
}
