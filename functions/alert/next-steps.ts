// What whoever reads an alert can do next: the commands, by what raised it. Pure.
import { incidentName } from '../incident/name.ts';
import type { Alert } from '../store/alerts.ts';

/** A command and what it is good for. */
export interface NextStep {
  command: string;
  purpose: string;
}

/** First take it on, then look, then act. */
export function nextSteps(alert: Alert): NextStep[] {
  const take =
    alert.incident === null
      ? []
      : [{ command: `lamp ack ${incidentName(alert.incident)}`, purpose: 'say that you are on it' }];
  return [...take, { command: 'lamp status', purpose: 'see everything at once' }, ...stepsOf(alert)];
}

function stepsOf({ kind, service }: Alert): NextStep[] {
  switch (kind) {
    case 'check':
      return [...serviceSteps(service), { command: 'lamp check --now', purpose: 'look again from outside' }];
    case 'heartbeat':
      return [
        { command: 'lamp check --now', purpose: 'see whether the host answers from outside' },
        {
          command: 'systemctl status lamplighter-agent',
          purpose: 'on the host, when it can be reached: why the agent is silent',
        },
      ];
    case 'backup':
      return [
        { command: 'lamp backups', purpose: 'see which backups there are and what is proven of them' },
        { command: 'lamp backup', purpose: 'take a backup now' },
      ];
    case 'agent':
      return [
        { command: 'lamp audit --action command.contradicted', purpose: 'see what the two said' },
        {
          command: 'systemctl stop lamplighter-agent',
          purpose:
            'on the host: stop the agent, which may be in other hands; enrol the host anew to end this alert',
        },
      ];
    case 'audit':
      return [
        { command: 'lamp audit', purpose: 'read the newest entries of the trail' },
        {
          command: 'npm run admin verify-audit',
          purpose:
            'hold the trail against its anchors (terraform/README.md: how to ask `admin` in the cloud)',
        },
      ];
    case 'command':
      return [{ command: 'lamp commands', purpose: 'see what was run and how it ended' }];
  }
}

function serviceSteps(service: string | null): NextStep[] {
  if (service === null) return [];
  return [
    { command: `lamp logs ${service} -n 50`, purpose: "read the service's last lines" },
    { command: `lamp restart ${service}`, purpose: 'restart it; the result says whether it is healthy' },
  ];
}
