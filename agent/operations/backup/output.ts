// What a program of a backup prints, whole or not at all.
import { LamplighterError } from '#shared/errors.ts';
import { awaitEnd, type Ended, killOnAbort } from '../../host/joined.ts';
import { startProgram } from '../../host/process.ts';

const MAX_CONTENT_BYTES = 64 * 1024 * 1024;

/** What a program prints and how it ended; `fds` are its descriptors from 3 on. Throws `failed` when it prints too much. */
export async function collectOutput(
  name: string,
  program: Parameters<typeof startProgram>[0],
  { signal, fds = [] }: { signal: AbortSignal; fds?: readonly number[] },
): Promise<{ output: Buffer; ended: Ended }> {
  const child = startProgram(program, ['ignore', 'pipe', 'pipe', ...fds]);
  killOnAbort(child, signal);
  const chunks: Buffer[] = [];
  let bytes = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_CONTENT_BYTES) child.kill('SIGKILL');
    else chunks.push(chunk);
  });
  const ended = await awaitEnd(name, child);
  if (bytes > MAX_CONTENT_BYTES) {
    throw new LamplighterError('failed', `run ${name}: more than ${MAX_CONTENT_BYTES} bytes`, {
      hint: "Name fewer or smaller files in the policy's configPaths.",
    });
  }
  return { output: Buffer.concat(chunks), ended };
}
