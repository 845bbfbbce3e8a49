// Runs that have no report: those whose runner is gone are left over, and somebody must bring them to an end.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { CommandEnvelope, commandTimeMs, issueTimeMs } from '#shared/command/envelope.ts';
import { CommandId } from '#shared/names.ts';
import { pruneMarks } from './cancel.ts';
import { raiseHorizon } from './horizon.ts';
import { hasReport, readRun, runDir } from './step-record.ts';

export interface UnfinishedRun {
  envelope: CommandEnvelope;
  /** The runner's instance that took it. */
  owner: string;
}

function listRuns(runsDir: string): CommandId[] {
  if (!existsSync(runsDir)) return [];
  return readdirSync(runsDir).flatMap((name) => CommandId.safeParse(name).data ?? []);
}

/** Runs without a report, oldest first. One that can't be read is told and left: it must not keep the others down. */
export function unfinishedRuns(
  runsDir: string,
  onUnreadable: (id: CommandId, error: unknown) => void,
): UnfinishedRun[] {
  return listRuns(runsDir)
    .toSorted()
    .flatMap((id) => {
      try {
        return hasReport(runsDir, id) ? [] : readUnfinished(runsDir, id);
      } catch (error) {
        onUnreadable(id, error);
        return [];
      }
    });
}

function readUnfinished(runsDir: string, id: CommandId): UnfinishedRun[] {
  const run = readRun(runsDir, id);
  if (!run) return [];
  // Root wrote it after it had verified it; its expiry no longer matters, it has begun.
  const envelope = CommandEnvelope.parse(JSON.parse(Buffer.from(run.signed.payload).toString('utf8')));
  return [{ envelope, owner: run.owner }];
}

/** Removes the records of runs that ended and are this much older than the newest one: the clock, which may be wrong, is not asked. */
export function pruneRuns(runsDir: string, keepMs: number): void {
  const ids = listRuns(runsDir);
  const newestMs = Math.max(0, ...ids.map(commandTimeMs));
  pruneMarks(runsDir, newestMs - keepMs);
  const old = ids.filter((id) => commandTimeMs(id) < newestMs - keepMs && hasReport(runsDir, id));
  if (old.length === 0) return;
  raiseHorizon(runsDir, Math.max(...old.map((id) => issueTimeOf(runsDir, id))));
  for (const id of old) rmSync(runDir(runsDir, id), { recursive: true, force: true });
}

function issueTimeOf(runsDir: string, id: CommandId): number {
  try {
    const run = readRun(runsDir, id);
    return (run && issueTimeMs(run.signed.payload)) ?? commandTimeMs(id);
  } catch {
    return commandTimeMs(id);
  }
}
