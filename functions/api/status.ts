// The quick look: what the runbook names, joined with what the hosts said last.
import type { HostView, ServiceView, StatusView } from '#shared/api/views.ts';
import type { UnitStatus } from '#shared/command/report.ts';
import type { Runbook, RunbookHost, RunbookService } from '#shared/runbook/schema.ts';
import { listAlertViews } from '../alert/view.ts';
import { latestBackupView } from '../backup/view.ts';
import type { Deps } from '../deps.ts';
import { listIncidentViews } from '../incident/view.ts';
import { listCommands, toCommandView } from '../store/commands.ts';
import { type HostState, listHostStates } from '../store/hosts.ts';
import { findRunbook } from '../store/runbooks.ts';
import { listCheckViews } from '../watch/view.ts';

const RECENT_COMMANDS = 10;
const MOST_LISTED = 50;

/** True while the host was heard of within its own limit. */
export function isOnline(
  state: HostState | undefined,
  { heartbeatTimeoutS }: RunbookHost,
  now: Date,
): boolean {
  return state !== undefined && now.getTime() - state.receivedAt.getTime() <= heartbeatTimeoutS * 1000;
}

/** A host, by the runbook and by its last heartbeat. */
export function viewHost(name: string, host: RunbookHost, state: HostState | undefined, now: Date): HostView {
  const { units: _units, ...vitals } = state?.vitals ?? { units: [] };
  return {
    name,
    address: host.address,
    online: isOnline(state, host, now),
    lastHeartbeatAt: state?.receivedAt.toISOString() ?? null,
    agentVersion: state?.agentVersion ?? null,
    vitals: 'bootId' in vitals ? vitals : null,
  };
}

/** A service, by the runbook and by what its host said of the unit; `unit` is undefined when it said nothing lately. */
export function viewService(
  name: string,
  service: RunbookService,
  unit: UnitStatus | undefined,
): ServiceView {
  return {
    name,
    host: service.host,
    unit: service.unit,
    description: service.description ?? null,
    activeState: unit?.activeState ?? 'unknown',
    subState: unit?.subState ?? 'unknown',
    activeSince: unit?.activeSince ?? null,
    restarts: unit?.restarts ?? null,
  };
}

function viewPlatform(
  runbook: Runbook | undefined,
  states: readonly HostState[],
  now: Date,
): Pick<StatusView, 'hosts' | 'services'> {
  const hosts = Object.entries(runbook?.hosts ?? {});
  const stateOf = (name: string) => states.find(({ host }) => host === name);
  const online = new Set(
    hosts.filter(([name, host]) => isOnline(stateOf(name), host, now)).map(([name]) => name),
  );
  const unitOf = ({ host, unit }: RunbookService) =>
    online.has(host) ? stateOf(host)?.vitals.units.find((status) => status.unit === unit) : undefined;
  return {
    hosts: hosts.map(([name, host]) => viewHost(name, host, stateOf(name), now)),
    services: Object.entries(runbook?.services ?? {}).map(([name, service]) =>
      viewService(name, service, unitOf(service)),
    ),
  };
}

/** Everything at once. */
export async function readStatus({ db, clock }: Pick<Deps, 'db' | 'clock'>): Promise<StatusView> {
  const now = clock();
  const [current, states, checks, alerts, incidents, commands, lastBackup] = await Promise.all([
    findRunbook(db),
    listHostStates(db),
    listCheckViews(db, now),
    listAlertViews(db, { state: 'firing', limit: MOST_LISTED }),
    listIncidentViews(db, { state: 'unresolved', limit: MOST_LISTED }),
    listCommands(db, RECENT_COMMANDS),
    latestBackupView(db),
  ]);
  return {
    at: now.toISOString(),
    runbook: current
      ? { name: current.runbook.name, version: current.version, appliedAt: current.appliedAt.toISOString() }
      : null,
    ...viewPlatform(current?.runbook, states, now),
    checks,
    alerts,
    incidents,
    commands: commands.map(toCommandView),
    lastBackup,
  };
}
