// How a run ends: exit codes and what is said on standard error.
import type { CommandView } from '#shared/api/views.ts';
import { type ErrorCode, LamplighterError, messageOf } from '#shared/errors.ts';
import type { Io } from './io.ts';
import { escapeForTerminal } from './output/escape.ts';
import { toJsonLine } from './output/json.ts';
import { palette } from './output/style.ts';

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notAllowed: 3,
  unreachable: 4,
  interrupted: 130,
} as const;

const EXIT_OF_CODE: Partial<Record<ErrorCode, number>> = {
  'invalid-input': EXIT.usage,
  'not-found': EXIT.usage,
  'not-allowed': EXIT.notAllowed,
  unauthenticated: EXIT.notAllowed,
  unavailable: EXIT.unreachable,
};

/** The exit code that an error deserves. */
export function exitCodeOf(error: unknown): number {
  return (error instanceof LamplighterError ? EXIT_OF_CODE[error.code] : undefined) ?? EXIT.failed;
}

/** Codes of a command that the host's policy does not allow. */
const WITHHELD: ReadonlySet<string> = new Set(['not-in-policy', 'unknown-unit']);

/** The exit code that the end of a command deserves. */
export function exitCodeOfCommand({ state, code }: Pick<CommandView, 'state' | 'code'>): number {
  if (state === 'succeeded') return EXIT.done;
  // Without a code it was the control plane that would not sign it: the actor's standing had changed.
  const isWithheld = state === 'rejected' && (code === null || WITHHELD.has(code));
  return isWithheld ? EXIT.notAllowed : EXIT.failed;
}

/** Says what happened and what to do next; with `--json` also as the one document on standard output. */
export function reportError(error: unknown, io: Io, isJson: boolean): number {
  const { red, dim } = palette(io, io.stderrIsTty);
  const hint = error instanceof LamplighterError ? error.hint : undefined;
  const message = messageOf(error);
  io.err(`${red('error:')} ${escapeForTerminal(message)}\n`);
  if (hint) io.err(`${dim('hint:')}  ${escapeForTerminal(hint)}\n`);
  if (isJson) {
    const code = error instanceof LamplighterError ? error.code : 'internal';
    io.out(toJsonLine({ error: { code, message, ...(hint === undefined ? {} : { hint }) } }));
  }
  return exitCodeOf(error);
}
