// Records one report. Reports come twice, late and out of order: each is recorded once, and none moves a command back.

import type { FinishedReport, ProgressReport, Report } from '#shared/command/report.ts';
import { isSettled } from '#shared/command/state.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { PushMessage } from '../cloud/push.ts';
import { minuteOf } from '../denial/recorder.ts';
import type { Deps } from '../deps.ts';
import { appendAudit, isReportAudited } from '../store/audit.ts';
import { addRefusedEvent, addStepEvent, releaseSteps } from '../store/command-events.ts';
import { announceCommand, type CommandRecord, lockCommand } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';
import { countDenials, markTold } from '../store/denials.ts';
import { type HostKeyRole, saveHeartbeat } from '../store/hosts.ts';
import { advanceCommand } from './advance.ts';
import { authenticateReport } from './authenticate-report.ts';
import { recordEnd } from './record-end.ts';

export type ReportDeps = Pick<Deps, 'db' | 'clock' | 'denials'>;

/** What became of a report, for the log; `report` is set only when it counts. */
export interface RecordedReport {
  outcome: 'recorded' | 'known' | `refused: ${string}`;
  report?: Report;
}

type RefusedReport = Extract<Report, { type: 'envelope.refused' }>;
type CommandReport = Exclude<Report, { type: 'host.heartbeat' | 'envelope.refused' }>;

interface Refusal {
  reason: string;
  detail: string;
  host: string | null;
  commandId?: string | undefined;
  reportId?: string;
}

/** Verifies and records a report. Throws only failures that a retry may mend. */
export async function recordReport(deps: ReportDeps, message: PushMessage): Promise<RecordedReport> {
  const said = await authenticateReport(deps.db, message);
  if (!said.authentic) return await writeRefusal(deps, message, said);
  const { report, role } = said;
  if (report.type === 'host.heartbeat') {
    if (role !== 'agent') {
      return await writeRefusal(
        deps,
        message,
        refusalOf(report, 'wrong-key', 'a heartbeat must be signed by the agent'),
      );
    }
    const isNew = await saveHeartbeat(deps.db, report, deps.clock());
    return { outcome: isNew ? 'recorded' : 'known', report };
  }
  if (report.type === 'envelope.refused') return await recordRefused(deps, report);
  const outcome = await deps.db.transaction((tx) => recordCommandReport(deps, tx, report, role));
  if (typeof outcome !== 'boolean') return await writeRefusal(deps, message, outcome);
  return { outcome: outcome ? 'recorded' : 'known', report };
}

function refusalOf(report: Report, reason: string, detail: string): Refusal {
  const { host, id: reportId } = report;
  return {
    reason,
    detail,
    host,
    reportId,
    ...('commandId' in report ? { commandId: report.commandId } : {}),
  };
}

async function writeRefusal(
  deps: ReportDeps,
  message: PushMessage,
  refusal: Refusal,
): Promise<RecordedReport> {
  const { host, reason, detail, commandId, reportId } = refusal;
  const isNoted = await deps.denials.note({
    source: host === null ? 'unknown' : `host:${host}`,
    isProven: host !== null,
    action: 'report.refused',
    subject: reason,
    detail: { reason, detail, messageId: message.id, commandId, reportId },
  });
  if (!isNoted) {
    throw new LamplighterError('unavailable', 'refuse report: the denial could not be stored', {
      retryable: true,
    });
  }
  return { outcome: `refused: ${reason}` };
}

/** A host refused an envelope. The refusal is written to the audit trail and to the command's events; the state stays. */
async function recordRefused(deps: ReportDeps, report: RefusedReport): Promise<RecordedReport> {
  return await deps.db.transaction(async (tx) => {
    const record = report.commandId === undefined ? undefined : await lockCommand(tx, report.commandId);
    if (await isReportAudited(tx, 'envelope.refused', report.id)) return { outcome: 'known', report };
    const isTold = await auditRefused(deps, tx, report, record);
    if (isTold && record && record.host === report.host) {
      await addRefusedEvent(tx, record.id, new Date(report.at), `${report.reason}: ${report.detail}`);
      await announceCommand(tx, record.id);
    }
    return { outcome: 'recorded', report };
  });
}

/** Refusals of a host in a minute that the audit trail gets in full; further ones are only counted. */
const MAX_REFUSALS_TOLD = 20;

/** True when the trail has the refusal in full; false when it is only counted. */
async function auditRefused(
  deps: ReportDeps,
  tx: Queryable,
  { host, id: reportId, reason, detail, messageId }: RefusedReport,
  record: CommandRecord | undefined,
): Promise<boolean> {
  const action = 'envelope.refused';
  const key = { minute: minuteOf(deps.clock()), source: `host:${host}`, action, subject: reason };
  const sample = { reason, detail: detail.slice(0, 300), messageId, reportId };
  const noted = await countDenials(tx, key, { count: 1, untold: 1, sample });
  if (noted > MAX_REFUSALS_TOLD) return false;
  await markTold(tx, key, 1);
  const entry = { at: deps.clock(), actor: key.source, action, target: record?.id ?? host };
  await appendAudit(tx, { ...entry, detail: { ...sample, detail } });
  return true;
}

/** True when the report was recorded, false when it was known before, or why it must not count. */
async function recordCommandReport(
  deps: ReportDeps,
  tx: Queryable,
  report: CommandReport,
  role: HostKeyRole,
): Promise<boolean | Refusal> {
  const record = await lockCommand(tx, report.commandId);
  if (!record) return refusalOf(report, 'unknown-command', 'there is no such command');
  if (record.host !== report.host)
    return refusalOf(report, 'wrong-host', `the command is for ${record.host}`);
  if (!record.isSigned) return refusalOf(report, 'never-signed', 'the command was never signed');
  switch (report.type) {
    case 'command.accepted':
      return (await advanceCommand(tx, record, { news: 'accepted', at: deps.clock() })) !== 'refused';
    case 'command.progress':
      return await recordProgress(deps, tx, record, report);
    case 'command.finished':
      return await recordFinished(deps, tx, record, report, role);
  }
}

async function recordProgress(
  deps: ReportDeps,
  tx: Queryable,
  record: CommandRecord,
  report: ProgressReport,
): Promise<boolean> {
  const isNew = await addStepEvent(tx, report);
  const state = await advanceCommand(tx, record, { news: 'progress', at: deps.clock() });
  if (!isNew) return state !== 'refused';
  await releaseSteps(tx, record.id, isSettled(record.state));
  await announceCommand(tx, record.id);
  return true;
}

async function recordFinished(
  deps: ReportDeps,
  tx: Queryable,
  record: CommandRecord,
  report: FinishedReport,
  signer: HostKeyRole,
): Promise<boolean | Refusal> {
  const outcome = await recordEnd(deps, tx, { record, report, signer });
  if (outcome !== 'wrong-key') return outcome === 'recorded';
  return refusalOf(report, outcome, `the end of ${record.operation} must be signed by the runner`);
}
