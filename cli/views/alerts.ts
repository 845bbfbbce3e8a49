import type { AlertView } from '#shared/api/views.ts';
import { formatAge } from '../output/quantity.ts';
import { type Cell, renderTable } from '../output/table.ts';
import type { ViewContext } from './context.ts';

const COLUMNS = [
  { title: 'ALERT' },
  { title: 'SEV' },
  { title: 'LEVEL' },
  { title: 'FIRED' },
  { title: 'ABOUT' },
  { title: 'SUMMARY', flexible: true },
  { title: 'TOLD' },
];

/** Who was told of the alert's latest event: `mail ok, jsonl pending`. */
function deliveriesOf({ state, deliveries }: AlertView): string {
  const words = { pending: 'pending', delivered: 'ok', failed: 'failed' };
  return deliveries
    .filter(({ event }) => event === state)
    .map((delivery) => `${delivery.channel} ${words[delivery.state]}`)
    .join(', ');
}

/** Alerts, the newest as the API gives them. */
export function renderAlerts(alerts: AlertView[], { paint, width, nowMs }: ViewContext): string {
  const rows = alerts.map((alert): (string | Cell)[] => [
    { text: alert.state, paint: alert.state === 'firing' ? paint.red : paint.green },
    alert.severity,
    alert.level,
    formatAge(alert.firedAt, nowMs),
    alert.service ?? alert.check ?? alert.host,
    alert.summary,
    deliveriesOf(alert),
  ]);
  return renderTable(COLUMNS, rows, width, paint.dim);
}
