// What can be wrong with a host's agent: it is silent, or it contradicts the runner.
import * as z from 'zod';
import type { Runbook } from '#shared/runbook/schema.ts';
import { defineCondition } from '../alert/condition.ts';

function isHostKnown(host: string, _facts: unknown, { hosts }: Runbook): boolean {
  return Object.keys(hosts).includes(host);
}

export const agentSilent = defineCondition({
  id: 'agent-silent',
  kind: 'heartbeat',
  facts: z.lazy(() => z.object({})),
  title: () => 'agent is silent',
  nextSteps: () => [
    { command: 'lamp check --now', purpose: 'see whether the host answers from outside' },
    {
      command: 'systemctl status lamplighter-agent',
      purpose: 'on the host, when it can be reached: why the agent is silent',
    },
  ],
  isStillMeant: isHostKnown,
});

/** One alert for each command about which the agent contradicted the runner. All end when the host is enrolled anew. */
export const agentContradiction = defineCondition({
  id: 'agent-contradiction',
  kind: 'agent',
  facts: z.lazy(() => z.object({ commandId: z.string() })),
  subject: ({ commandId }) => commandId,
  mostFiring: 5,
  title: () => 'agent contradicts the runner',
  nextSteps: () => [
    {
      command: 'lamp audit --action command.contradicted',
      purpose: 'see what the agent and the runner reported',
    },
    {
      command: 'systemctl stop lamplighter-agent',
      purpose:
        'on the host: stop the agent, which may be in other hands; enrol the host anew to end this alert',
    },
  ],
  isStillMeant: isHostKnown,
});
