import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeAlerts, raiseAlert } from '#functions/alert/change.ts';
import type { Occurrence } from '#functions/alert/condition.ts';
import {
  auditForeignObject,
  auditRewritten,
  auditUnanchored,
  auditUnchecked,
  auditUncovered,
  CONTROL_PLANE,
  findingName,
} from '#functions/audit/conditions.ts';
import { backupCorrupt, backupStale } from '#functions/backup/conditions.ts';
import { checkFailing, checkUnjudged } from '#functions/check/conditions.ts';
import { agentContradiction, agentSilent } from '#functions/host/conditions.ts';
import { listIncidentViews } from '#functions/incident/view.ts';
import { jobFailed } from '#functions/schedule/conditions.ts';
import { findFiringAlert } from '#functions/store/alerts.ts';
import { migrate } from '#functions/store/migrate.ts';
import { requireRunbook } from '#functions/store/runbooks.ts';
import { applyTestRunbook } from '#test/fixtures/control-plane.ts';
import { createTestDeps } from '#test/fixtures/deps.ts';
import { createDatabaseBefore } from '#test/fixtures/migrated-database.ts';
import type { TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabaseBefore('018-s');
});
afterEach(() => database.drop());

const COMMAND = '7a6b5c4d-3e2f-4a1b-8c9d-0e1f2a3b4c5d';
const BACKUP = '20261123T020000Z-1f3a9c';
const FACT = 'anchors from entry 3 on, until 2026-11-23T10:00:00.000Z';

/** Kind, subject, title and reason as they were written before, and what the alert is now. */
const ALERTS: readonly [string, string, string, string, Occurrence][] = [
  ['check', 'api', 'api is failing', 'refused', checkFailing.on('web-1', { check: 'api', service: 'web' })],
  [
    'check',
    'port',
    'port could not be judged',
    'x',
    checkUnjudged.on('web-1', { check: 'port', service: 'web' }),
  ],
  ['heartbeat', '', 'agent is silent', 'x', agentSilent.on('web-1', {})],
  ['backup', '', 'no fresh backup of app', 'x', backupStale.on('web-1', { database: 'app' })],
  [
    'backup',
    `corrupt:${findingName(BACKUP)}`,
    `backup ${BACKUP} is corrupt`,
    'x',
    backupCorrupt.on('web-1', { backupId: BACKUP }),
  ],
  ['command', 'backup', 'scheduled backup did not succeed', 'x', jobFailed.on('web-1', { job: 'backup' })],
  [
    'agent',
    `contradiction:${findingName(COMMAND)}`,
    'agent contradicts the runner',
    `its agent says that command ${COMMAND} (service.restart) rejected, its runner signed succeeded`,
    agentContradiction.on('web-1', { commandId: COMMAND }),
  ],
  ['audit', 'anchor', 'audit trail is not anchored', 'x', auditUnanchored.on(CONTROL_PLANE, {})],
  ['audit', 'check', 'audit trail is not checked', 'x', auditUnchecked.on(CONTROL_PLANE, {})],
  [
    'audit',
    `trail:${findingName(FACT)}`,
    'audit trail is not what was anchored',
    'x',
    auditRewritten.on(CONTROL_PLANE, { finding: findingName(FACT) }),
  ],
  [
    'audit',
    `foreign:${findingName(FACT)}`,
    'audit anchors are not all ours',
    'x',
    auditForeignObject.on(CONTROL_PLANE, { finding: findingName(FACT) }),
  ],
  [
    'audit',
    `coverage:${findingName('coverage')}`,
    'audit trail is not covered by its anchors',
    'x',
    auditUncovered.on(CONTROL_PLANE, {}),
  ],
];

test('alerts that fired before they had conditions are the same alerts after it, and go on', async () => {
  const { db } = database;
  await db.query(
    `INSERT INTO incidents (host, severity, state, title, opened_at, respond_by)
     VALUES ('web-1', 'P1', 'open', 'api is failing', now(), now())`,
  );
  for (const [kind, subject, title, reason, { host }] of ALERTS) {
    await db.query(
      `INSERT INTO alerts (id, kind, host, subject, service, state, severity, level, title, reason, fired_at, incident)
       VALUES (gen_random_uuid(), $1, $2, $3, $4, 'firing', 'P1', 'CRITICAL', $5, $6, now(), 1)`,
      [kind, host, subject, kind === 'check' ? 'web' : null, title, reason],
    );
  }
  await db.query(
    `INSERT INTO incident_events VALUES (1, 1, now(), 'alert-firing', 'api is failing: refused')`,
  );
  await migrate(db);
  for (const [, , title, , occurrence] of ALERTS) {
    const { condition, facts, subject, kind } = occurrence;
    expect(await findFiringAlert(db, occurrence)).toMatchObject({ condition, facts, subject, kind, title });
  }
  await applyTestRunbook(db);
  const deps = createTestDeps(db);
  const { runbook } = await requireRunbook(db);
  const failing = checkFailing.on('web-1', { check: 'api', service: 'web' });
  for (const reason of ['status 502', 'refused', 'status 502']) {
    await changeAlerts(deps, runbook, (alerts) => raiseAlert(alerts, { ...failing, reason }));
  }
  const [incident] = await listIncidentViews(db, { limit: 1 });
  expect(incident?.timeline.map(({ text }) => text)).toEqual([
    'api is failing: refused',
    'api is failing: status 502',
  ]);
  const { rows } = await db.query('SELECT a.title FROM incidents i JOIN alerts a ON a.id = i.cause');
  expect(rows).toEqual([{ title: 'api is failing' }]);
});

test('two alerts of one condition can’t fire for the same subject or for none', async () => {
  const { db } = database;
  await migrate(db);
  const insert = (subject: string | null) =>
    db.query(
      `INSERT INTO alerts (id, condition, kind, host, subject, state, severity, level, title, reason, fired_at)
       VALUES (gen_random_uuid(), 'c', 'check', 'h', $1, 'firing', 'P1', 'CRITICAL', 't', 'r', now())`,
      [subject],
    );
  for (const subject of ['a', null]) {
    await insert(subject);
    await expect(insert(subject)).rejects.toThrow('alerts_one_firing');
  }
});

test('audit alerts from before findings had a hash are migrated, whether they fire or not', async () => {
  const { db } = database;
  const subjects: readonly [string, string, string | null][] = [
    ['trail', 'audit-rewritten', 'trail'],
    ['foreign', 'audit-foreign-object', 'foreign'],
    ['coverage', 'audit-uncovered', null],
  ];
  for (const state of ['firing', 'resolved']) {
    for (const [subject] of subjects) {
      await db.query(
        `INSERT INTO alerts (id, kind, host, subject, state, severity, level, title, reason, fired_at)
         VALUES (gen_random_uuid(), 'audit', $1, $2, $3, 'P1', 'CRITICAL', 'x', 'x', now())`,
        [CONTROL_PLANE, subject, state],
      );
    }
  }
  await migrate(db);
  const { rows } = await db.query('SELECT condition, subject FROM alerts ORDER BY fired_at');
  const expected = subjects.map(([, condition, subject]) => ({ condition, subject }));
  expect(rows).toEqual([...expected, ...expected]);
});
