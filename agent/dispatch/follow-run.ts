// Follows a command's record in the runner's folder until its signed report is there, and reports each step. It depends
// on files only, so it simply begins again after a restart of the agent.
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { FinishedReport, MAX_PROGRESS_REPORTS, reportEventType } from '#shared/command/report.ts';
import { createBell } from '#shared/kit/bell.ts';
import type { CommandId } from '#shared/names.ts';
import type { Journal } from '../journal/journal.ts';
import type { ReportWriter } from '../outbox/write-report.ts';
import { readReport, readSteps, runDir } from '../runner/step-record.ts';

export interface FollowOptions {
  runsDir: string;
  journal: Journal;
  reports: ReportWriter;
  clock: () => Date;
  onQueued(): void;
  signal: AbortSignal;
}

/** Polling is what counts: the watch may miss a change, and only makes most of them known sooner. */
const POLL_MS = 1000;

/** Follows one command to its end; `seen` is the last step entry that was reported before. */
export async function followRun(id: CommandId, seen: number, options: FollowOptions): Promise<void> {
  const { runsDir, journal, reports, clock, onQueued, signal } = options;
  let last = seen;
  const changed = createBell();
  let watcher: FSWatcher | undefined;
  try {
    while (!signal.aborted) {
      watcher ??= watchFolder(runDir(runsDir, id), changed.ring);
      // Looked for before the steps are read: when it is there, all steps are.
      const report = readReport(runsDir, id);
      for (const entry of readSteps(runsDir, id)) {
        if (entry.seq <= last || entry.seq > MAX_PROGRESS_REPORTS) continue;
        const { seq, step, phase, ok, detail } = entry;
        const optional = { ...(ok === undefined ? {} : { ok }), ...(detail === undefined ? {} : { detail }) };
        journal.progress(
          id,
          seq,
          await reports.write({ type: 'command.progress', commandId: id, seq, step, phase, ...optional }),
        );
        last = seq;
        onQueued();
      }
      if (report) {
        const { id: eventId, type } = FinishedReport.parse(
          JSON.parse(Buffer.from(report.payload).toString('utf8')),
        );
        journal.finish(
          id,
          { signed: report, eventId, eventType: reportEventType(type), subject: id },
          clock().getTime(),
        );
        onQueued();
        return;
      }
      await changed.wait(signal, POLL_MS);
    }
  } finally {
    watcher?.close();
  }
}

function watchFolder(dir: string, onChange: () => void): FSWatcher | undefined {
  if (!existsSync(dir)) return undefined;
  const watcher = watch(dir, onChange);
  watcher.on('error', onChange);
  return watcher;
}
