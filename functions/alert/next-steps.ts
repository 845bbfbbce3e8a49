// What whoever reads an alert can do next: the commands. Pure.
import { incidentName } from '../incident/name.ts';
import type { Alert } from '../store/alerts.ts';
import type { NextStep } from './condition.ts';
import { findCondition } from './conditions.ts';

/** First take it on, then look, then act. */
export function nextSteps(alert: Alert): NextStep[] {
  const take =
    alert.incident === null
      ? []
      : [{ command: `lamp ack ${incidentName(alert.incident)}`, purpose: 'say that you are on it' }];
  const own = findCondition(alert)?.nextSteps(alert) ?? [];
  return [...take, { command: 'lamp status', purpose: 'see everything at once' }, ...own];
}
