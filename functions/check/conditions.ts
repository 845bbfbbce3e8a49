// What can be wrong with a check: it fails, or nobody can tell whether it does. At most one of the two fires for a check.
import * as z from 'zod';
import { lookUp } from '#shared/look-up.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import { defineCondition, type NextStep } from '../alert/condition.ts';

const CheckFacts = z.lazy(() => z.object({ check: z.string(), service: z.string().optional() }));
type CheckFacts = z.infer<typeof CheckFacts>;

function nextSteps({ service }: CheckFacts): NextStep[] {
  const steps = [{ command: 'lamp check --now', purpose: 'look again from outside' }];
  if (service === undefined) return steps;
  return [
    { command: `lamp logs ${service} -n 50`, purpose: "read the service's last lines" },
    { command: `lamp restart ${service}`, purpose: 'restart it; the result says whether it is healthy' },
    ...steps,
  ];
}

const OF_CHECK = {
  kind: 'check',
  facts: CheckFacts,
  subject: ({ check }: CheckFacts) => check,
  nextSteps,
  isStillMeant: (host: string, { check }: CheckFacts, runbook: Runbook) =>
    lookUp(runbook.checks, check)?.host === host,
} as const;

export const checkFailing = defineCondition({
  ...OF_CHECK,
  id: 'check-failing',
  title: ({ check }) => `${check} is failing`,
});

export const checkUnjudged = defineCondition({
  ...OF_CHECK,
  id: 'check-unjudged',
  title: ({ check }) => `${check} could not be judged`,
});
