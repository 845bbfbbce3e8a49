// Runs a program that the policy names (an installer, a test suite, a migration, a test of a configuration) to its end. Its last
// lines are kept, redacted; whatever it started in its process group ends with it.
import type { ChildProcess } from 'node:child_process';
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { createLineSplitter } from '#shared/lines.ts';
import type { ProgramArguments } from '#shared/policy/arguments.ts';
import { type Account, startProgram } from './process.ts';
import { createLineRedactor } from './redact.ts';

const MAX_LINES = 50;
/** A report takes 4000 characters for a line. */
const MAX_LINE_LENGTH = 2000;
/** How long the rest of its output is waited for when something that left its process group holds it open. */
const DRAIN_MS = 2000;

export interface PolicyProgram {
  argv: ProgramArguments;
  /** Account to run as; default root. */
  account?: Account;
  /** Where it starts; default `/`. */
  directory?: string;
  env?: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal: AbortSignal;
}

/** Runs it and gives its last lines. Throws `OperationFailure` with them when it does not end well, or not in time. */
export async function runPolicyProgram(program: PolicyProgram): Promise<string[]> {
  const { argv, timeoutMs, signal, ...place } = program;
  const [file, ...args] = argv;
  signal.throwIfAborted();
  const child = startProgram({ file, args, ...place, hasOwnGroup: true }, ['ignore', 'pipe', 'pipe']);
  const lines: string[] = [];
  keepLines(child.stdout, lines);
  keepLines(child.stderr, lines);
  let isTimedOut = false;
  const end = (): void => endGroup(child);
  const timer = setTimeout(() => {
    isTimedOut = true;
    end();
  }, timeoutMs);
  signal.addEventListener('abort', end, { once: true });
  const outcome = await awaitEnd(child).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  });
  if (outcome.code === 0 && !isTimedOut && !signal.aborted) return lines;
  const why = isTimedOut
    ? `not done within ${timeoutMs} ms`
    : signal.aborted
      ? 'the command was stopped'
      : outcome.why;
  throw new OperationFailure('step-failed', 'failed', `run ${argv.join(' ')}: ${why}`, {
    output: lines,
  });
}

function keepLines(stream: NodeJS.ReadableStream | null, lines: string[]): void {
  const redactLine = createLineRedactor();
  const splitter = createLineSplitter((line) => {
    // Redacted before it is cut: a secret that is cut in half would not be recognised any more.
    lines.push(redactLine(line).slice(0, MAX_LINE_LENGTH));
    if (lines.length > MAX_LINES) lines.shift();
  });
  stream?.on('data', (chunk: Buffer) => splitter.push(chunk));
  stream?.on('end', () => splitter.end());
}

/** Its process group: what it started and did not wait for must not go on beside the next step. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended.
  }
}

interface Outcome {
  code: number | null;
  why: string;
}

function awaitEnd(child: ChildProcess): Promise<Outcome> {
  return new Promise((resolve) => {
    let outcome: Outcome = { code: null, why: 'it did not start' };
    let timer: NodeJS.Timeout | undefined;
    const finish = (): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.once('error', (error) => {
      outcome = { code: null, why: error.message };
      finish();
    });
    child.once('exit', (code, signal) => {
      outcome = { code, why: code === null ? `ended by ${signal}` : `exit ${code}` };
      endGroup(child);
      timer = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        finish();
      }, DRAIN_MS);
    });
    child.once('close', finish);
  });
}
