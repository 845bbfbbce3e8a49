// Severities of incidents (P1–P4) and levels of alerts, with the runbook's response times as defaults.
import * as z from 'zod';

export const Severity = z.enum(['P1', 'P2', 'P3', 'P4']);
export type Severity = z.infer<typeof Severity>;

export const AlertLevel = z.enum(['INFO', 'WARNING', 'CRITICAL']);
export type AlertLevel = z.infer<typeof AlertLevel>;

const LEVEL_RANK: Record<AlertLevel, number> = { INFO: 0, WARNING: 1, CRITICAL: 2 };

/** True when `level` is at or above `floor`. */
export function isAtLeast(level: AlertLevel, floor: AlertLevel): boolean {
  return LEVEL_RANK[level] >= LEVEL_RANK[floor];
}

/** Minutes to respond and the alert level of each severity, where a runbook does not say otherwise. */
export const DEFAULT_SEVERITIES: Record<Severity, { respondWithinMin: number; level: AlertLevel }> = {
  P1: { respondWithinMin: 15, level: 'CRITICAL' },
  P2: { respondWithinMin: 60, level: 'CRITICAL' },
  P3: { respondWithinMin: 240, level: 'WARNING' },
  P4: { respondWithinMin: 1440, level: 'INFO' },
};
