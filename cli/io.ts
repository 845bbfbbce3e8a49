// The process's edges (terminal, environment, clock, network) as one value, so that tests run verbs without a process.
import { outputWidth } from './output/width.ts';

export interface Io {
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  stdoutIsTty: boolean;
  stderrIsTty: boolean;
  stdinIsTty: boolean;
  /** Width to fit tables into, at this moment; `Infinity` where nothing is cut, as in a pipe. */
  columns(): number;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  homeDir: string;
  nowMs(): number;
  /** Asks a question on the terminal and returns the line that was typed. */
  ask(question: string, signal: AbortSignal): Promise<string>;
  fetch: typeof fetch;
  /** Aborted by Ctrl-C; whoever waits looks at it. */
  interrupted: AbortSignal;
}

/** The edges of the running process. `interrupted` is aborted at the first SIGINT or SIGTERM; a second one ends the process. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process;
  quitWhenReaderLeaves();
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    stdoutIsTty: stdout.isTTY === true,
    stderrIsTty: stderr.isTTY === true,
    stdinIsTty: stdin.isTTY === true,
    // Asked anew each time: a terminal may be resized.
    columns: () => outputWidth(env['COLUMNS'], stdout.isTTY ? stdout.columns : undefined),
    env,
    cwd: process.cwd(),
    homeDir: env['HOME'] ?? '/',
    nowMs: () => Date.now(),
    ask: async (question, signal) => {
      // oxlint-disable-next-line no-restricted-imports -- a person's answer at a terminal, no data
      const { createInterface } = await import('node:readline/promises');
      const terminal = createInterface({ input: stdin, output: stderr });
      try {
        return await terminal.question(question, { signal });
      } finally {
        terminal.close();
      }
    },
    fetch: globalThis.fetch,
    interrupted: interruptSignal(),
  };
}

function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

/** `lamp logs web | head`: the reader has what it wanted; that is no error. */
function quitWhenReaderLeaves(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}
