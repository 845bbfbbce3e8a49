import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { AlertView } from '#shared/api/views.ts';
import { escapeForTerminal } from './output/escape.ts';
import { formatAge } from './output/quantity.ts';
import { type Cell, renderTable } from './output/table.ts';
import { wrapText } from './output/width.ts';
import { addExamples, type Bind } from './verb.ts';
import { printList, type ViewContext } from './view.ts';

export function define(command: Command, bind: Bind): void {
  command.option('--all', 'list resolved alerts, too').action(
    bind(async (session, { all }: { all?: boolean }) => {
      const query = all ? {} : { state: 'firing' };
      const alerts = await session.client().call(ROUTES.listAlerts, { query });
      return printList(session, alerts, renderAlerts, all ? 'No alert so far.' : 'No alert is firing.');
    }),
  );
  addExamples(command, 'lamp alerts --all');
}

const COLUMNS = [
  { title: 'ALERT' },
  { title: 'SEV' },
  { title: 'LEVEL', dispensable: 1 },
  { title: 'FIRED', dispensable: 3 },
  { title: 'ABOUT' },
  { title: 'SUMMARY', flexible: true, least: 32 },
  { title: 'TOLD', flexible: true, least: 16, dispensable: 2 },
];

type Delivery = AlertView['deliveries'][number];

const WORDS: Record<Delivery['state'], string> = {
  pending: 'pending',
  sent: 'sent',
  delivered: 'ok',
  failed: 'failed',
};
/** The state that most needs a reader comes first. */
const URGENCY: readonly Delivery['state'][] = ['failed', 'pending', 'sent', 'delivered'];

/** Deliveries of the alert's latest event. */
function latestOf({ state, deliveries }: AlertView): Delivery[] {
  return deliveries.filter(({ event }) => (state === 'firing' ? event !== 'resolved' : event === state));
}

/** Who was told of the alert's latest event, by channel: `on-call ok, ops 1 of 3 failed, host-log sent`. */
function deliveriesOf(alert: AlertView): string {
  const latest = latestOf(alert);
  const channels = [...new Set(latest.map(({ channel }) => channel))];
  return channels
    .map((name) =>
      channelText(
        name,
        latest.filter(({ channel }) => channel === name),
      ),
    )
    .join(', ');
}

function channelText(channel: string, deliveries: readonly Delivery[]): string {
  const worst = URGENCY.find((candidate) => deliveries.some(({ state }) => state === candidate)) ?? 'pending';
  const count = deliveries.filter(({ state }) => state === worst).length;
  const share = count === deliveries.length ? '' : `${count} of ${deliveries.length} `;
  return `${channel} ${share}${WORDS[worst]}`;
}

/** Why recipients were not told, each reason once: `on-call failed: 550 no such user`. */
function reasonsOf(alerts: readonly AlertView[]): string[] {
  const reasons = alerts.flatMap(latestOf).flatMap(({ channel, recipient, state, lastError }) => {
    if (lastError === null) return [];
    return [`${recipient ?? channel} ${WORDS[state]}: ${lastError}`];
  });
  return [...new Set(reasons)];
}

/** A table of alerts in the API's order, and below it why recipients were not told. */
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
  const reasons = reasonsOf(alerts).flatMap((reason) => wrapText(escapeForTerminal(reason), width));
  return renderTable(COLUMNS, rows, width, paint.dim) + reasons.map((line) => `${line}\n`).join('');
}
