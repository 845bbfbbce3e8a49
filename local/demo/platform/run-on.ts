import type { HostMachine } from '#local/demo/host/host-machine.ts';
import type { RunResult } from '#local/demo/host/run-program.ts';
import { LamplighterError } from '#shared/errors.ts';

const TIMEOUT_MS = 120_000;

/** Runs a program on the host that must succeed. Throws `failed` with its last words. */
export async function runOn(
  machine: HostMachine,
  argv: string[],
  options: { user?: string; input?: string } = {},
): Promise<RunResult> {
  const result = await machine.run(argv, { ...options, timeoutMs: TIMEOUT_MS });
  if (result.code === 0) return result;
  const said = result.stderr.trim() || result.stdout.trim();
  throw new LamplighterError(
    'failed',
    `install platform on ${machine.name}: ${argv.join(' ')}: ${said.slice(-1000)}`,
  );
}
