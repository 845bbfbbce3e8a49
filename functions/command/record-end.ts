// The end of a command, as its host reports it: who may say it, what becomes of the result, and what happens when the
// agent says something else than the runner.
import type { FinishedReport } from '#shared/command/report.ts';
import { type EndSigner, isEndReplaced } from '#shared/command/state.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { raiseAlert } from '../alert/change.ts';
import type { Deps } from '../deps.ts';
import { agentContradiction } from '../host/conditions.ts';
import { appendAudit, findIntactAudit } from '../store/audit.ts';
import { type Advance, advanceCommand, type CommandRecord } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';
import { findRunbook } from '../store/runbooks.ts';
import { understandResult } from './understand-result.ts';

type EndDeps = Pick<Deps, 'clock'>;

export interface ReportedEnd {
  record: CommandRecord;
  report: FinishedReport;
  /** Whose key holds the report's signature. */
  signer: EndSigner;
}

/** What becomes of a reported end; one of the wrong key must not count. */
export type EndOutcome = 'recorded' | 'known' | 'wrong-key';

/** Records an end in the transaction that locked its command. */
export async function recordEnd(deps: EndDeps, tx: Queryable, end: ReportedEnd): Promise<EndOutcome> {
  const { record, report, signer } = end;
  const isContradicted = isContradiction(end);
  if (signer === 'agent' && !mayAgentFinish(record, report)) {
    if (isContradicted) return await tellContradiction(deps, tx, end);
    return isSameEnd(end) ? 'known' : 'wrong-key';
  }
  const isReplaced = isEndReplaced(record, signer);
  const { advance, fault } = understandEnd(deps, end);
  if (!(await advanceCommand(tx, record, advance))) return 'known';
  if (isReplaced && isContradicted) await tellContradiction(deps, tx, end);
  if (fault !== undefined) await audit(deps, tx, end, 'result.refused', { reason: fault });
  await audit(deps, tx, end, 'command.ended', { state: report.state, code: report.code ?? null, signer });
  return 'recorded';
}

function isNeverBegun({ state }: FinishedReport): boolean {
  return state === 'rejected' || state === 'expired';
}

/** Reads end in the agent; of the rest it may only say that they never began. */
function mayAgentFinish(record: CommandRecord, report: FinishedReport): boolean {
  const isSweptAway = record.swept && record.state === 'expired';
  const isBefore =
    record.state === 'requested' || record.state === 'sent' || record.state === 'accepted' || isSweptAway;
  return (isBefore && isNeverBegun(report)) || lookUpOperation(record.operation)?.risk === 'read';
}

/** The agent said, or says, that a command never began whose other end the runner signed. */
function isContradiction({ record, report, signer }: ReportedEnd): boolean {
  if (record.state === report.state) return false;
  return signer === 'runner'
    ? isEndReplaced(record, signer)
    : record.endedBy === 'runner' && isNeverBegun(report);
}

function isSameEnd({ record, report }: ReportedEnd): boolean {
  return record.endedBy !== null && record.state === report.state;
}

function understandEnd(
  deps: EndDeps,
  { record, report, signer }: ReportedEnd,
): { advance: Advance; fault?: string } {
  const { state, code, message, hint, result, steps, output } = report;
  const advance = { state, at: deps.clock(), code, message, hint, steps, output, endedBy: signer };
  if (result === undefined) return { advance };
  const understanding = understandResult(record, result);
  if (understanding.understood) return { advance: { ...advance, result: understanding.result } };
  // The end itself is true all the same.
  const told = [message, `its result was not understood and is left out: ${understanding.fault}`];
  const text = told.filter((part) => part !== undefined).join('; ');
  return { advance: { ...advance, message: text }, fault: understanding.fault };
}

/** Once for each command, in whatever order and however often the two ends come. */
async function tellContradiction(deps: EndDeps, tx: Queryable, end: ReportedEnd): Promise<EndOutcome> {
  const { record, report, signer } = end;
  if (await findIntactAudit(tx, 'command.contradicted', record.id)) return 'known';
  const [agent, runner] = signer === 'runner' ? [record.state, report.state] : [report.state, record.state];
  const runbook = (await findRunbook(tx))?.runbook;
  if (runbook) {
    const reason = `its agent says that command ${record.id} (${record.operation}) ${agent}, its runner signed ${runner}`;
    // Published by the next tick of the watch: this function may not publish.
    const contradiction = agentContradiction.on(record.host, { commandId: record.id });
    const alerts = { tx, runbook, now: deps.clock(), changes: [] };
    await raiseAlert(alerts, { ...contradiction, reason });
  }
  await audit(deps, tx, end, 'command.contradicted', { agent, runner });
  return 'recorded';
}

async function audit(
  deps: EndDeps,
  tx: Queryable,
  { report: { host, commandId, id: reportId } }: ReportedEnd,
  action: string,
  detail: Record<string, unknown>,
): Promise<void> {
  const entry = { at: deps.clock(), actor: `host:${host}`, action, target: commandId };
  await appendAudit(tx, { ...entry, detail: { ...detail, reportId } });
}
