// How bad an alert is, by the runbook's rules. Pure.
import type { AlertKind, Runbook } from '#shared/runbook/schema.ts';
import type { AlertLevel, Severity } from '#shared/severity.ts';

/** What the rules look at. */
export interface Symptom {
  kind: AlertKind;
  host: string;
  check?: string | undefined;
  service?: string | undefined;
}

const NO_RULE: Severity = 'P3';

/** The first rule that matches decides; none: P3. */
export function severityOf(symptom: Symptom, runbook: Runbook): Severity {
  const rule = runbook.severityRules.find(
    ({ when }) =>
      (when.kind === undefined || when.kind === symptom.kind) &&
      (when.host === undefined || when.host === symptom.host) &&
      (when.check === undefined || when.check === symptom.check) &&
      (when.service === undefined || when.service === symptom.service),
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
