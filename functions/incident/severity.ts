// How bad an alert is, by the runbook's rules. Pure.
import type { Runbook } from '#shared/runbook/schema.ts';
import type { AlertLevel, Severity } from '#shared/severity.ts';
import type { Occurrence } from '../alert/condition.ts';

const NO_RULE: Severity = 'P3';

/** The severity of the first rule that matches; P3 without such a rule. */
export function severityOf(
  { kind, host, facts }: Pick<Occurrence, 'kind' | 'host' | 'facts'>,
  runbook: Runbook,
): Severity {
  const rule = runbook.severityRules.find(
    ({ when }) =>
      (when.kind === undefined || when.kind === kind) &&
      (when.host === undefined || when.host === host) &&
      (when.check === undefined || when.check === facts.check) &&
      (when.service === undefined || when.service === facts.service),
  );
  return rule?.severity ?? NO_RULE;
}

/** The level that alerts of a severity go out with. */
export function levelOf(severity: Severity, runbook: Runbook): AlertLevel {
  return runbook.severities[severity].level;
}

/** When somebody should have responded at the latest. */
export function respondBy(severity: Severity, from: Date, runbook: Runbook): Date {
  return new Date(from.getTime() + runbook.severities[severity].respondWithinMin * 60_000);
}

/** True when `a` is worse than `b`: P1 is the worst. */
export function isWorse(a: Severity, b: Severity): boolean {
  return a < b;
}
