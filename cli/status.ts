// `lamp status`: everything the quick look needs, from one request.
import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { BackupView, HostView, StatusView } from '#shared/api/views.ts';
import { renderAlerts } from './alerts.ts';
import { proofOf } from './backup/backups.ts';
import { renderChecks } from './checks.ts';
import { renderCommands } from './command/commands.ts';
import { EXIT } from './exit.ts';
import { usedShare } from './host.ts';
import { renderIncidents } from './incidents.ts';
import { escapeForTerminal } from './output/escape.ts';
import { toJsonText } from './output/json.ts';
import { joinFitting } from './output/line.ts';
import { formatAge, formatBytes, formatClock, formatCount, formatSpan } from './output/quantity.ts';
import { shortId } from './output/short-id.ts';
import { renderServices } from './service/services.ts';
import { addExamples, type Bind } from './verb.ts';
import type { ViewContext } from './view.ts';

export function define(command: Command, bind: Bind): void {
  command.action(
    bind(async ({ io, isJson, paint, client }) => {
      const status = await client().call(ROUTES.readStatus, {});
      const context = { paint, width: io.columns(), nowMs: Date.parse(status.at) };
      io.out(isJson ? toJsonText(status) : renderStatus(status, context));
      return EXIT.done;
    }),
  );
  addExamples(command, 'lamp status', 'lamp status --json');
}

/** The whole picture; `nowMs` is the control plane's own time, so that ages are right whatever this clock says. */
export function renderStatus(status: StatusView, context: ViewContext): string {
  const { paint, width } = context;
  const { runbook } = status;
  const name = runbook ? escapeForTerminal(runbook.name) : 'no runbook yet';
  const book = [
    { text: name, shown: runbook ? paint.bold(name) : paint.yellow(name) },
    { text: runbook ? `runbook version ${runbook.version}` : 'lamp runbook apply FILE' },
    { text: formatClock(status.at), shown: paint.dim(formatClock(status.at)) },
  ];
  const firing = status.alerts.filter((alert) => alert.state === 'firing');
  const open = status.incidents.filter((incident) => incident.state !== 'resolved');
  const sections = [
    `${joinFitting(book, width)}\n`,
    status.hosts.map((host) => renderHost(host, context)).join(''),
    status.services.length > 0 ? renderServices(status.services, context) : '',
    status.checks.length > 0 ? renderChecks(status.checks, context) : '',
    firing.length > 0 ? renderAlerts(firing, context) : 'No alert is firing.\n',
    open.length > 0 ? renderIncidents(open, context) : '',
    status.commands.length > 0 ? renderCommands(status.commands, context) : '',
    renderLastBackup(status.lastBackup, context),
  ];
  return sections.filter((section) => section !== '').join('\n');
}

function renderHost(host: HostView, { paint, nowMs, width }: ViewContext): string {
  const state = host.online ? paint.green('online') : paint.red('silent');
  const parts = [
    { text: `host ${escapeForTerminal(host.name)}` },
    { text: host.online ? 'online' : 'silent', shown: state },
    { text: `heartbeat ${formatAge(host.lastHeartbeatAt, nowMs)}` },
  ];
  return `${joinFitting([...parts, ...factsOf(host).map((text) => ({ text }))], width)}\n`;
}

function factsOf({ vitals }: HostView): string[] {
  if (!vitals) return [];
  const { load, memory, disks, uptimeS } = vitals;
  return [
    `memory ${usedShare(memory.availableBytes, memory.totalBytes)}`,
    ...disks.slice(0, 2).map(({ mount, freeBytes, totalBytes }) => {
      return `${escapeForTerminal(mount)} ${usedShare(freeBytes, totalBytes)}`;
    }),
    `load ${load.map((l) => l.toFixed(2)).join(' ')}`,
    `up ${formatSpan(uptimeS * 1000)}`,
  ];
}

function renderLastBackup(backup: BackupView | null, { paint, nowMs, width }: ViewContext): string {
  if (!backup) return `${paint.yellow('No backup yet')}: lamp backup\n`;
  const facts = `${formatBytes(backup.bytes)}, ${formatCount(backup.rows)} rows in ${backup.tables} tables`;
  const proof = proofOf(backup, { paint, nowMs });
  const parts = [
    { text: `Last backup ${shortId(backup.id)}` },
    { text: formatAge(backup.finishedAt, nowMs) },
    { text: escapeForTerminal(proof.text), shown: proof.paint?.(escapeForTerminal(proof.text)) },
    { text: facts },
  ];
  return `${joinFitting(parts, width)}\n`;
}
