// Hosts and services of the runbook, with the state from each host's last heartbeat.
import type { HostView, ServiceView } from '#shared/api/views.ts';
import type { UnitStatus } from '#shared/command/report.ts';
import type { Runbook, RunbookHost, RunbookService } from '#shared/runbook/schema.ts';
import type { HostState } from '../store/hosts.ts';
import { isOnline } from './contact.ts';

/** A host of the runbook with its last heartbeat. */
function viewHost(name: string, host: RunbookHost, state: HostState | undefined, now: Date): HostView {
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

/** A service of the runbook; `unit` is its state in the host's last heartbeat, or undefined when that is too old. */
function viewService(name: string, service: RunbookService, unit: UnitStatus | undefined): ServiceView {
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

/** All hosts and services of the runbook; the services of a silent host are `unknown`. */
export function viewPlatform(
  runbook: Runbook | undefined,
  states: readonly HostState[],
  now: Date,
): { hosts: HostView[]; services: ServiceView[] } {
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
