// The texts of an alert: summary and subject, each in one line. Pure.
import type { Alert } from '../store/alerts.ts';
import type { AlertEvent } from '../store/deliveries.ts';

const MAX_SUMMARY = 500;

/** One line: what and why, how it ended, or who could not be told of it. */
export function summaryOf(alert: Alert, event: AlertEvent, note: string | null = null): string {
  return cut(fullSummary(alert, event, note));
}

function cut(text: string): string {
  return text.length > MAX_SUMMARY ? `${text.slice(0, MAX_SUMMARY - 1)}…` : text;
}

function fullSummary(alert: Alert, event: AlertEvent, note: string | null): string {
  if (event === 'resolved') return alert.resolution ?? `${alert.title}: resolved`;
  const what = `${alert.title}: ${alert.reason}`;
  return note === null ? what : `${what} (${note})`;
}

/** `5034 ms`, `1 d 3 h`. */
const MEASURED = /\b\d+(?:\.\d+)? (?:ms|s|min|h|d)\b(?: \d+ (?:min|h|s)\b)*/g;

/** Of the command, say: each run of a job that fails has one of its own. */
const UUID = /\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b/gi;

/** True when two reasons differ only in measured values and ids. */
export function isSameReason(a: string, b: string): boolean {
  return withoutIdsAndTimes(a) === withoutIdsAndTimes(b);
}

function withoutIdsAndTimes(reason: string): string {
  return reason.replaceAll(UUID, '#').replaceAll(MEASURED, '#');
}

/** One line: what and why now, and why at first where that was another reason. */
export function latestSummaryOf(alert: Alert): string {
  const { title, reason, latestReason } = alert;
  if (latestReason === null) return summaryOf(alert, 'firing');
  const first = isSameReason(reason, latestReason) ? '' : ` (at first: ${reason})`;
  return cut(`${title}: ${latestReason}${first}`);
}

/** `[P1] CRITICAL web-1: engines-api is failing`. */
export function subjectOf(alert: Alert, event: AlertEvent): string {
  const about = `${alert.host}: ${alert.title}`;
  if (event === 'resolved') return `[resolved] ${alert.severity} ${about}`;
  const told = event === 'undelivered' ? ' (not everybody could be told)' : '';
  return `[${alert.severity}] ${alert.level} ${about}${told}`;
}

/** `4 min 12 s`. */
export function durationText(ms: number): string {
  const totalS = Math.max(0, Math.round(ms / 1000));
  const [days, hours] = [Math.floor(totalS / 86_400), Math.floor((totalS % 86_400) / 3600)];
  const [minutes, seconds] = [Math.floor((totalS % 3600) / 60), totalS % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds} s` : `${seconds} s`;
}
