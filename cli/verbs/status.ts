// `lamp status`: everything the quick look needs, from one request.
import type { Command } from 'commander';
import { type BackupView, type HostView, StatusView } from '#shared/api/views.ts';
import { EXIT } from '../exit.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { toJsonText } from '../output/json.ts';
import { formatAge, formatBytes, formatClock, formatCount, formatSpan } from '../output/quantity.ts';
import type { Palette } from '../output/style.ts';
import { renderAlerts } from '../views/alerts.ts';
import { renderChecks } from '../views/checks.ts';
import { renderCommands } from '../views/commands.ts';
import type { ViewContext } from '../views/context.ts';
import { renderIncidents } from '../views/incidents.ts';
import { renderServices } from '../views/services.ts';
import { addExamples, type Bind } from './verb.ts';

export function define(command: Command, bind: Bind): void {
  command.action(
    bind(async ({ io, isJson, paint, client }) => {
      const status = await client().call('GET', '/v1/status', StatusView);
      const context = { paint, width: io.columns, nowMs: Date.parse(status.at) };
      io.out(isJson ? toJsonText(status) : renderStatus(status, context));
      return EXIT.done;
    }),
  );
  addExamples(command, 'lamp status', 'lamp status --json');
}

/** The whole picture; `nowMs` is the control plane's own time, so that ages are right whatever this clock says. */
export function renderStatus(status: StatusView, context: ViewContext): string {
  const { paint, nowMs } = context;
  const book = status.runbook
    ? `${paint.bold(escapeForTerminal(status.runbook.name))}  runbook version ${status.runbook.version}`
    : `${paint.yellow('no runbook yet')}: lamp runbook apply FILE`;
  const firing = status.alerts.filter((alert) => alert.state === 'firing');
  const open = status.incidents.filter((incident) => incident.state !== 'resolved');
  const sections = [
    `${book}  ${paint.dim(formatClock(status.at))}\n`,
    status.hosts.map((host) => renderHost(host, paint, nowMs)).join(''),
    status.services.length > 0 ? renderServices(status.services, context) : '',
    status.checks.length > 0 ? renderChecks(status.checks, context) : '',
    firing.length > 0 ? renderAlerts(firing, context) : 'No alert is firing.\n',
    open.length > 0 ? renderIncidents(open, context) : '',
    status.commands.length > 0 ? renderCommands(status.commands, context) : '',
    renderLastBackup(status.lastBackup, paint, nowMs),
  ];
  return sections.filter((section) => section !== '').join('\n');
}

function renderHost(host: HostView, paint: Palette, nowMs: number): string {
  const beat = formatAge(host.lastHeartbeatAt, nowMs);
  const state = host.online ? paint.green('online') : paint.red('silent');
  const parts = [`host ${escapeForTerminal(host.name)}`, state, `heartbeat ${beat}`];
  if (host.vitals) {
    const { load, memory, disks, uptimeS } = host.vitals;
    const used = 100 - Math.round((100 * memory.availableBytes) / Math.max(1, memory.totalBytes));
    parts.push(`load ${load.map((l) => l.toFixed(2)).join(' ')}`, `memory ${used} %`);
    for (const disk of disks.slice(0, 2)) {
      const full = 100 - Math.round((100 * disk.freeBytes) / Math.max(1, disk.totalBytes));
      parts.push(`${escapeForTerminal(disk.mount)} ${full} %`);
    }
    parts.push(`up ${formatSpan(uptimeS * 1000)}`);
  }
  return `${parts.join('  ')}\n`;
}

function renderLastBackup(backup: BackupView | null, paint: Palette, nowMs: number): string {
  if (!backup) return `${paint.yellow('No backup yet')}: lamp backup\n`;
  const facts = `${formatBytes(backup.bytes)}, ${formatCount(backup.rows)} rows in ${backup.tables} tables`;
  const proof = {
    verified: () => paint.green(`verified ${formatAge(backup.proof.at, nowMs)}`),
    corrupt: () => paint.red(`corrupt: ${escapeForTerminal(backup.proof.faults[0] ?? 'unreadable')}`),
    pending: () => paint.yellow('not verified yet'),
  }[backup.proof.state]();
  return `Last backup ${backup.id}  ${formatAge(backup.finishedAt, nowMs)}  ${facts}  ${proof}\n`;
}
