// Hosts and services: what the runbook names, joined with what the hosts said last.
import type { HostView, ServiceView } from '#shared/api/views.ts';
import type { UnitStatus } from '#shared/command/report.ts';
import type { Runbook, RunbookHost, RunbookService } from '#shared/runbook/schema.ts';
import type { HostState } from '../store/hosts.ts';
import { isOnline } from './contact.ts';

/** A host, by the runbook and by its last heartbeat. */
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

/** A service, by the runbook and by what its host said of the unit; `unit` is undefined when it said nothing lately. */
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

/** All hosts and services of the runbook; a service of a host that is silent is `unknown`. */
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
