// Records the end of a command as its host reports it: which key is allowed to report it, what is kept of the result, and
// what happens when the agent contradicts the runner.
import type { FinishedReport } from '#shared/command/report.ts';
import type { EndSigner } from '#shared/command/state.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { isRunnersWork } from '#shared/operations/definition.ts';
import { raiseAlert } from '../alert/change.ts';
import type { Deps } from '../deps.ts';
import { agentContradiction } from '../host/conditions.ts';
import { appendAudit, findIntactAudit } from '../store/audit.ts';
import type { CommandRecord } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';
import { findRunbook } from '../store/runbooks.ts';
import { type Advance, advanceCommand } from './advance.ts';
import type { CommandNews } from './state.ts';
import { understandResult } from './understand-result.ts';

type EndDeps = Pick<Deps, 'clock'>;

export interface ReportedEnd {
  record: CommandRecord;
  report: FinishedReport;
  /** Whose key holds the report's signature. */
  signer: EndSigner;
}

/** What became of a reported end; an end under the wrong key does not count. */
export type EndOutcome = 'recorded' | 'known' | 'wrong-key';

/** Records an end in the transaction that locked its command. */
export async function recordEnd(deps: EndDeps, tx: Queryable, end: ReportedEnd): Promise<EndOutcome> {
  const { record, report, signer } = end;
  const news = newsOf(end);
  const { said, fault } = understandEnd(end);
  const advance = { ...said, news, end: report.state, at: deps.clock() };
  if ((await advanceCommand(tx, record, advance)) === 'refused') return await refuseEnd(deps, tx, end, news);
  const isContradicted = record.endedBy === 'agent' && signer === 'runner' && record.state !== report.state;
  if (isContradicted) await tellContradiction(deps, tx, end);
  if (fault !== undefined) await audit(deps, tx, end, 'result.refused', { reason: fault });
  await audit(deps, tx, end, 'command.ended', { state: report.state, code: report.code ?? null, signer });
  return 'recorded';
}

/** Of what the runner carries out, the agent is only allowed to report that it never began. */
function newsOf({ record, report: { state }, signer }: ReportedEnd): CommandNews {
  const definition = lookUpOperation(record.operation);
  const isAgentsWork = definition !== undefined && !isRunnersWork(definition);
  if (signer === 'runner' || isAgentsWork) return state === 'unknown' ? `${signer}-unknown` : `${signer}-end`;
  return state === 'rejected' || state === 'expired' ? 'never-begun' : 'agent-claims';
}

/** What becomes of an end that changes nothing: the agent may have reported what it is not allowed to report. */
async function refuseEnd(
  deps: EndDeps,
  tx: Queryable,
  end: ReportedEnd,
  news: CommandNews,
): Promise<EndOutcome> {
  const { record, report } = end;
  const isSameEnd = record.endedBy !== null && record.state === report.state;
  if (isSameEnd || (news !== 'never-begun' && news !== 'agent-claims')) return 'known';
  const isContradicted = news === 'never-begun' && record.endedBy === 'runner';
  return isContradicted ? await tellContradiction(deps, tx, end) : 'wrong-key';
}

function understandEnd({ record, report }: ReportedEnd): {
  said: Omit<Advance, 'news' | 'at'>;
  fault?: string;
} {
  const { code, message, hint, result, steps, output } = report;
  const said = { code, message, hint, steps, output };
  if (result === undefined) return { said };
  const understanding = understandResult(record, result);
  if (understanding.understood) return { said: { ...said, result: understanding.result } };
  // The end itself counts all the same.
  const told = [message, `its result does not match the operation and is left out: ${understanding.fault}`];
  const text = told.filter((part) => part !== undefined).join('; ');
  return { said: { ...said, message: text }, fault: understanding.fault };
}

/** Raises one alert for each command, in whatever order and however often the two ends come. */
async function tellContradiction(deps: EndDeps, tx: Queryable, end: ReportedEnd): Promise<EndOutcome> {
  const { record, report, signer } = end;
  if (await findIntactAudit(tx, 'command.contradicted', record.id)) return 'known';
  const [agent, runner] = signer === 'runner' ? [record.state, report.state] : [report.state, record.state];
  const runbook = (await findRunbook(tx))?.runbook;
  if (runbook) {
    const reason = `its agent says that command ${record.id} (${record.operation}) ${agent}, its runner signed ${runner}`;
    // The next tick of the watch publishes the messages: this function has no right to publish.
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
