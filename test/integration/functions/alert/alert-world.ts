// An alert on its way: the real outbox and the real entry point over a store of its own, and how a test pushes messages.
import { randomUUID } from 'node:crypto';
import { changeAlerts, raiseAlert, resolveAlert } from '#functions/alert/change.ts';
import { handleNotify } from '#functions/alert/notify-handler.ts';
import { listAlertViews } from '#functions/alert/view.ts';
import { checkFailing } from '#functions/check/conditions.ts';
import { requireRunbook } from '#functions/store/runbooks.ts';
import { ALERTS_TOPIC } from '#shared/topology.ts';
import { applyTestRunbook, enrolTestHost } from '#test/fixtures/control-plane.ts';
import { createTestDeps } from '#test/fixtures/deps.ts';
import { serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase } from '#test/fixtures/postgres.ts';

const FAILING = checkFailing.on('web-1', { check: 'engines-api', service: 'web' });

/** A world whose mails go to this server. */
export async function createAlertWorld(smtpUrl: string) {
  const database = await createTestDatabase();
  const deps = createTestDeps(
    database.db,
    {},
    {
      CHANNEL_SECRETS: JSON.stringify({ smtp: smtpUrl }),
      MAIL_FROM: 'Lamplighter <lamp@example.com>',
      API_URL: 'https://lamp.example.com',
    },
  );
  await applyTestRunbook(database.db);
  const keys = await enrolTestHost(database.db, 'web-1');
  const server = await serveHandler(handleNotify(deps));

  async function push(data: unknown, url = server.url): Promise<number> {
    const message = {
      data: Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)).toString('base64'),
      messageId: randomUUID(),
    };
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer x.y.z' },
      body: JSON.stringify({ message, subscription: 'projects/p/subscriptions/alerts' }),
    });
    return response.status;
  }

  return {
    database,
    deps,
    keys,
    push,
    /** Pushes every message of the topic once; the answers' status codes. */
    pushAll: async (url?: string): Promise<number[]> => {
      const messages = deps.published.filter(({ topic }) => topic === ALERTS_TOPIC);
      const statuses = await Promise.all(messages.map(({ message }) => push(message.data.toString(), url)));
      return statuses.toSorted((a, b) => a - b);
    },
    raise: async (): Promise<void> => {
      const { runbook } = await requireRunbook(deps.db);
      const facts = {
        ...FAILING,
        reason: 'status 502, expected 200',
        evidence: ['10:00:00  bad  status 502, expected 200'],
      };
      await changeAlerts(deps, runbook, (alerts) => raiseAlert(alerts, facts));
    },
    settle: async (): Promise<void> => {
      const { runbook } = await requireRunbook(deps.db);
      const resolution = 'engines-api is passing again: status 200';
      await changeAlerts(deps, runbook, (alerts) => resolveAlert(alerts, FAILING, resolution));
    },
    /** The newest alert's deliveries. */
    deliveries: async () => (await listAlertViews(deps.db, { limit: 1 }))[0]?.deliveries ?? [],
    close: async (): Promise<void> => {
      await server.close();
      await database.drop();
    },
  };
}
export type AlertWorld = Awaited<ReturnType<typeof createAlertWorld>>;
