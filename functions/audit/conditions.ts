// What can be wrong with the audit trail. These conditions concern no host of the runbook, so they have a name in its place.
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { defineCondition } from '../alert/condition.ts';

/** Used in place of a host. */
export const CONTROL_PLANE = 'control-plane';

const OF_TRAIL = {
  kind: 'audit',
  facts: z.lazy(() => z.object({})),
  nextSteps: () => [
    { command: 'lamp audit', purpose: 'read the newest entries of the trail' },
    {
      command: 'npm run admin verify-audit',
      purpose: 'hold the trail against its anchors (terraform/README.md: how to ask `admin` in the cloud)',
    },
  ],
  isStillMeant: () => true,
} as const;

export const auditUnanchored = defineCondition({
  ...OF_TRAIL,
  id: 'audit-unanchored',
  title: () => 'audit trail is not anchored',
});

export const auditUnchecked = defineCondition({
  ...OF_TRAIL,
  id: 'audit-unchecked',
  title: () => 'audit trail is not checked',
});

export const auditUncovered = defineCondition({
  ...OF_TRAIL,
  id: 'audit-uncovered',
  title: () => 'audit trail is not covered by its anchors',
});

const Finding = z.lazy(() => z.object({ finding: z.string() }));
type Finding = z.infer<typeof Finding>;

/** A name of bounded size for a finding: the hash of its text, which is the same with each check. */
export function findingName(fact: string): string {
  return createHash('sha256').update(fact).digest('hex').slice(0, 16);
}

/** Each finding has an alert of its own; otherwise a second one would not be noticed. */
const OF_FINDING = {
  ...OF_TRAIL,
  facts: Finding,
  subject: ({ finding }: Finding) => finding,
  mostFiring: 5,
} as const;

export const auditRewritten = defineCondition({
  ...OF_FINDING,
  id: 'audit-rewritten',
  title: () => 'audit trail is not what was anchored',
});

export const auditForeignObject = defineCondition({
  ...OF_FINDING,
  id: 'audit-foreign-object',
  title: () => 'audit anchors are not all ours',
});
