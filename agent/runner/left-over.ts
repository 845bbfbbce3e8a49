// Runs that have no report: those whose runner is gone are left over, and somebody must bring them to an end.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CommandEnvelope } from '#shared/command/envelope.ts';
import { CommandId } from '#shared/names.ts';
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

/** Removes the records of runs that ended before this time. They guard against replay, so it must be longer ago than an envelope can live. */
export function pruneRuns(runsDir: string, beforeMs: number): void {
  for (const id of listRuns(runsDir)) {
    const report = join(runDir(runsDir, id), 'report.json');
    if (existsSync(report) && statSync(report).mtimeMs < beforeMs)
      rmSync(runDir(runsDir, id), { recursive: true, force: true });
  }
}
