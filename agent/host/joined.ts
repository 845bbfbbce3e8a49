// Programs that are joined by pipes: each must end well, and one error holds what each of them said.
import type { ChildProcess } from 'node:child_process';
import { LamplighterError } from '#shared/errors.ts';
import { redact } from './redact.ts';

const MAX_SAID = 4000;
/** Kept until the end, so that the text is redacted before it is cut. */
const MAX_HEARD = 64 * 1024;

/** Kills a program when the signal comes, or has come. */
export function killOnAbort(child: ChildProcess, signal: AbortSignal | undefined): void {
  const kill = (): void => void child.kill('SIGKILL');
  if (signal?.aborted) kill();
  signal?.addEventListener('abort', kill, { once: true });
  child.once('close', () => signal?.removeEventListener('abort', kill));
}

export interface Ended {
  name: string;
  code: number | null;
  /** The last of its stderr. */
  said: string;
}

/** Waits for a program's end and keeps the last of what it said on stderr. Never rejects. */
export function awaitEnd(name: string, child: ChildProcess): Promise<Ended> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = keepEnd(said + text);
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ name, code: null, said: error.message }));
    child.once('close', (code) => resolve({ name, code, said: redact(said).trim().slice(-MAX_SAID) }));
  });
}

/** The end of a text from the beginning of a line on, when all of it is too much. */
function keepEnd(text: string): string {
  if (text.length <= MAX_HEARD) return text;
  const end = text.slice(-MAX_HEARD);
  return end.slice(end.indexOf('\n') + 1);
}

function tell({ name, code, said }: Ended): string {
  return `${name}: ${code === null ? 'ended by a signal' : `exit ${code}`}${said === '' ? '' : `: ${said}`}`;
}

/** True when the reader of the program's output had ended: the program ended by a signal, or with an error that says so. */
export function isPipeBroken({ code, said }: Ended): boolean {
  return code === null || /broken pipe|connection reset by peer|EPIPE|ECONNRESET/i.test(said);
}

/** Throws `failed` with what each said unless all have ended well. A broken pipe comes last: it is never the cause. */
export function mustHaveEndedWell(ended: readonly Ended[]): void {
  const failed = ended.filter(({ code }) => code !== 0);
  if (failed.length === 0) return;
  const told = failed.toSorted((a, b) => Number(isPipeBroken(a)) - Number(isPipeBroken(b))).map(tell);
  throw new LamplighterError('failed', `run ${told.join('; ')}`);
}

/** True for an error with the code `not-found`. */
export function isNotFound(error: unknown): boolean {
  return error instanceof LamplighterError && error.code === 'not-found';
}
