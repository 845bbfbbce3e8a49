// Alerts as the API shows them.
import type { AlertView } from '#shared/api/views.ts';
import { incidentName } from '../incident/name.ts';
import { type Alert, listAlerts } from '../store/alerts.ts';
import type { Queryable } from '../store/database.ts';
import { type Delivery, listDeliveries } from '../store/deliveries.ts';
import { checkOf } from './condition.ts';
import { latestSummaryOf } from './text.ts';

function toView(alert: Alert, deliveries: readonly Delivery[]): AlertView {
  return {
    id: alert.id,
    condition: alert.condition,
    kind: alert.kind,
    state: alert.state,
    level: alert.level,
    severity: alert.severity,
    host: alert.host,
    check: checkOf(alert) ?? null,
    service: alert.service,
    summary: latestSummaryOf(alert),
    firedAt: alert.firedAt.toISOString(),
    resolvedAt: alert.resolvedAt?.toISOString() ?? null,
    incident: alert.incident === null ? null : incidentName(alert.incident),
    deliveries: deliveries.map(({ channel, recipient, event, state, attempts, deliveredAt, lastError }) => ({
      channel,
      recipient: recipient === '' ? null : recipient,
      event,
      state,
      attempts,
      deliveredAt: deliveredAt?.toISOString() ?? null,
      lastError,
    })),
  };
}

/** The newest alerts first, each with its deliveries. */
export async function listAlertViews(
  db: Queryable,
  filter: { state?: 'firing' | 'resolved' | undefined; limit: number },
): Promise<AlertView[]> {
  const alerts = await listAlerts(db, filter);
  const deliveries = await listDeliveries(
    db,
    alerts.map(({ id }) => id),
  );
  return alerts.map((alert) =>
    toView(
      alert,
      deliveries.filter(({ alertId }) => alertId === alert.id),
    ),
  );
}
