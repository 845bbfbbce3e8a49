// Entry point `report`: what agents and runners say, pushed by Pub/Sub.
import type { Deps } from '../deps.ts';
import type { Handler } from '../http/answer.ts';
import { pushHandler } from '../http/private.ts';
import { recordReport } from './record-report.ts';
import { runReportEffect } from './report-effects.ts';

/** Verifies and records one report; a report that must not count is written down and acknowledged. */
export function handleReport(deps: Deps): Handler {
  return pushHandler(deps, async (message) => {
    const { outcome, report } = await recordReport(deps, message);
    if (report) await runReportEffect(deps, report);
    return outcome;
  });
}
