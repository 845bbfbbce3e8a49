// A control plane for tests: a database of its own, a clock that is set by hand, and a publisher that keeps what it gets.
import { randomUUID } from 'node:crypto';
import { DeliveryMessage } from '#functions/alert/outbox.ts';
import { VerificationOrder } from '#functions/backup/request.ts';
import type { LookAtTarget } from '#functions/check/kinds/look.ts';
import type { LookResult } from '#functions/check/kinds/look-result.ts';
import { createLog } from '#functions/log.ts';
import { insertRunbook } from '#functions/store/runbooks.ts';
import type { TickDeps } from '#functions/tick/tick.ts';
import { VERIFICATIONS_TOPIC } from '#shared/topology.ts';
import { createTestDatabase } from '#test/fixtures/postgres.ts';

const START = new Date('2026-11-23T09:00:00.000Z');

export const GOOD: LookResult = { verdict: 'good', reason: 'status 200 in 3 ms', latencyMs: 3 };
export const BAD: LookResult = { verdict: 'bad', reason: 'status 502, expected 200', latencyMs: 4 };
export const BLIND: LookResult = {
  verdict: 'unknown',
  reason: 'the watcher could not look',
  latencyMs: null,
};
export const NO_ROUTE: LookResult = {
  verdict: 'bad',
  reason: 'no route',
  latencyMs: null,
  isPerhapsOurs: true,
};

export const RUNBOOK = `
version: 1
name: test platform
hosts:
  web-1: { address: 192.0.2.1, timezone: Europe/London, heartbeatTimeoutS: 90 }
services:
  web: { host: web-1, unit: app-web.service }
checks:
  api:
    host: web-1
    service: web
    failureThreshold: 3
    successThreshold: 2
    recheckDelayMs: 100
    http: { url: "http://{address}/api" }
  port: { host: web-1, failureThreshold: 1, successThreshold: 1, tcp: { port: 80 } }
severityRules:
  - { when: { check: api }, severity: P1 }
  - { when: { kind: heartbeat }, severity: P2 }
channels:
  mail: { kind: email, to: [on-call@example.com], minLevel: CRITICAL }
  log: { kind: jsonl, host: web-1 }
`;

export const WITH_BACKUP = `${RUNBOOK}
backup: { host: web-1, database: analytics, schedule: "0 2 * * *", maxAgeHours: 26 }
`;

/** What the targets answer: one result for good, or several in turn, the last of them for good. */
export type Script = Record<string, LookResult | LookResult[]>;

export async function createWorld(runbook = RUNBOOK) {
  const database = await createTestDatabase();
  let now = START;
  const published: string[] = [];
  const signed: string[] = [];
  const world = {
    ...database,
    published,
    signed,
    script: {} as Script,
    /** Backups of which a verification was asked for. */
    verifications: [] as string[],
    publishing: 'works' as 'works' | 'fails',
    signing: 'works' as 'works' | 'fails',
    looks: 0,
    latestVerified: undefined as Date | undefined,
    latestIntact: undefined as Date | undefined,
    now: () => now,
    pass: (seconds: number) => {
      now = new Date(now.getTime() + seconds * 1000);
    },
    setTime: (iso: string) => {
      now = new Date(iso);
    },
    apply: (text: string) =>
      database.db.transaction((tx) =>
        insertRunbook(tx, { text, document: null, appliedAt: now, appliedBy: 'test' }),
      ),
    rows: async <T = Record<string, unknown>>(sql: string, values: unknown[] = []) =>
      (await database.db.query(sql, values)).rows as T[],
    enrol: () => database.db.query(`INSERT INTO hosts VALUES ('web-1', $1, 'test')`, [now]),
    hear: () =>
      database.db.query(
        `INSERT INTO host_state VALUES ('web-1', $1, $2, $2, '1', 'x', '{}', '[]')
         ON CONFLICT (host) DO UPDATE SET received_at = excluded.received_at`,
        [randomUUID(), now],
      ),
    deps: undefined as unknown as TickDeps,
  };
  const look: LookAtTarget = (check) => {
    world.looks += 1;
    const name = 'http' in check ? 'api' : 'port';
    const scripted = world.script[name] ?? GOOD;
    if (!Array.isArray(scripted)) return Promise.resolve(scripted);
    return Promise.resolve((scripted.length > 1 ? scripted.shift() : scripted[0]) ?? GOOD);
  };
  world.deps = {
    db: database.db,
    clock: () => now,
    log: createLog(() => undefined),
    publisher: {
      publish: (topic, { data }) => {
        if (world.publishing === 'fails') return Promise.reject(new Error('Pub/Sub is down'));
        if (topic === VERIFICATIONS_TOPIC) {
          world.verifications.push(VerificationOrder.parse(JSON.parse(data.toString())).backupId);
          return Promise.resolve('1');
        }
        published.push(DeliveryMessage.parse(JSON.parse(data.toString())).deliveryId);
        return Promise.resolve('1');
      },
      close: () => Promise.resolve(),
    },
    signCommand: (id) => {
      if (world.signing === 'fails') return Promise.reject(new Error('sign is down'));
      signed.push(id);
      return Promise.resolve();
    },
    anchorAudit: () => Promise.resolve(),
    look,
    sleep: () => Promise.resolve(),
    latestProvenBackup: (_db, _host, least) => {
      const [verified, intact] = [world.latestVerified, world.latestIntact];
      if (verified) return Promise.resolve({ finishedAt: verified, proofState: 'verified' });
      if (!intact || least === 'verified') return Promise.resolve(undefined);
      return Promise.resolve({ finishedAt: intact, proofState: 'intact' });
    },
  };
  await world.apply(runbook);
  return world;
}
export type World = Awaited<ReturnType<typeof createWorld>>;
