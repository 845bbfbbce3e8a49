// The failure of a unit, with the last lines of its journal, which say why better than systemctl does.
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { readLastLines } from '../../host/journald.ts';

const JOURNAL_LINES = 50;

async function lastLines(unit: string): Promise<string[]> {
  return await readLastLines(unit, JOURNAL_LINES).catch(() => []);
}

/** Throws what was thrown as a failure with this outcome, and the unit's last journal lines as its output. */
export async function failWithJournal(
  unit: string,
  outcome: 'unhealthy' | 'step-failed',
  thrown: unknown,
): Promise<never> {
  const hint = thrown instanceof LamplighterError ? thrown.hint : undefined;
  throw new OperationFailure(outcome, 'failed', messageOf(thrown), {
    cause: thrown,
    output: await lastLines(unit),
    ...(hint === undefined ? {} : { hint }),
  });
}
