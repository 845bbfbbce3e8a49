// Every condition that can raise an alert.
import {
  auditForeignObject,
  auditRewritten,
  auditUnanchored,
  auditUnchecked,
  auditUncovered,
} from '../audit/conditions.ts';
import { backupCorrupt, backupStale } from '../backup/conditions.ts';
import { checkFailing, checkUnjudged } from '../check/conditions.ts';
import { agentContradiction, agentSilent } from '../host/conditions.ts';
import { jobFailed } from '../schedule/conditions.ts';
import type { Condition } from './condition.ts';

export const CONDITIONS: readonly Condition[] = [
  agentContradiction,
  agentSilent,
  auditForeignObject,
  auditRewritten,
  auditUnanchored,
  auditUnchecked,
  auditUncovered,
  backupCorrupt,
  backupStale,
  checkFailing,
  checkUnjudged,
  jobFailed,
];

/** The condition of an alert; undefined when another version of Lamplighter raised it and this one does not know it. */
export function findCondition({ condition }: { condition: string }): Condition | undefined {
  return CONDITIONS.find(({ id }) => id === condition);
}
