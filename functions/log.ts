// Structured log lines as Cloud Logging reads them from standard output: one JSON object a line.
import { LamplighterError } from '#shared/errors.ts';

export interface Log {
  info(message: string, fields?: Record<string, unknown>): void;
  warning(message: string, fields?: Record<string, unknown>): void;
  /** Logs the error's message, code, causes and stack, never its payloads. */
  error(message: string, thrown: unknown, fields?: Record<string, unknown>): void;
}

const MAX_CAUSES = 5;

function describeError(thrown: unknown): Record<string, unknown> {
  if (!(thrown instanceof Error)) return typeof thrown === 'object' ? { ...thrown } : { error: thrown };
  const causes: string[] = [];
  for (let cause = thrown.cause; cause instanceof Error && causes.length < MAX_CAUSES; cause = cause.cause) {
    causes.push(cause.message);
  }
  return {
    error: thrown.message,
    ...(thrown instanceof LamplighterError ? { code: thrown.code, retryable: thrown.retryable } : {}),
    ...(causes.length > 0 ? { causes } : {}),
    stack: thrown.stack,
  };
}

/** A log that writes to `write`; standard output by default. */
export function createLog(write: (line: string) => void = (line) => void process.stdout.write(line)): Log {
  const put = (severity: string, message: string, fields: Record<string, unknown> = {}): void => {
    write(`${JSON.stringify({ severity, message, time: new Date().toISOString(), ...fields })}\n`);
  };
  return {
    info: (message, fields) => put('INFO', message, fields),
    warning: (message, fields) => put('WARNING', message, fields),
    error: (message, thrown, fields) => put('ERROR', message, { ...describeError(thrown), ...fields }),
  };
}
