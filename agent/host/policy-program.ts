// Runs a program that the policy names, and gives what it said line by line.
import type { ProgramArguments } from '#shared/policy/arguments.ts';
import { type Account, runProgram } from './process.ts';
import { redactLines } from './redact.ts';

export interface PolicyRun {
  /** Null when a signal ended it. */
  code: number | null;
  isTimedOut: boolean;
  /** What it printed: its output, then its errors; redacted, the newest lines kept. */
  lines: string[];
}

export interface PolicyRunOptions {
  timeoutMs: number;
  signal?: AbortSignal;
  account?: Account;
}

const MAX_LINES = 200;

/** Runs it to its end; a program that fails is told by its code. Throws `failed` when it can't be started. */
export async function runPolicyProgram(
  [file, ...args]: ProgramArguments,
  options: PolicyRunOptions,
): Promise<PolicyRun> {
  const { code, stdout, stderr, isTimedOut } = await runProgram({ file, args, ...options });
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
  return { code, isTimedOut, lines: redactLines(lines).slice(-MAX_LINES) };
}
