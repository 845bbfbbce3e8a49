import { expect, test } from 'vitest';
import type { Occurrence } from '#functions/alert/condition.ts';
import { CONDITIONS, findCondition } from '#functions/alert/conditions.ts';
import {
  auditForeignObject,
  auditRewritten,
  auditUnanchored,
  auditUnchecked,
  auditUncovered,
  CONTROL_PLANE,
} from '#functions/audit/conditions.ts';
import { backupCorrupt, backupStale } from '#functions/backup/conditions.ts';
import { checkFailing, checkUnjudged } from '#functions/check/conditions.ts';
import { agentContradiction, agentSilent } from '#functions/host/conditions.ts';
import { jobFailed } from '#functions/schedule/conditions.ts';
import { AlertKind, Runbook } from '#shared/runbook/schema.ts';

const WEB = { check: 'api', service: 'web' };
const HOST = 'web-1';
const CASES: readonly [Occurrence, string, string | null, AlertKind, string, string][] = [
  [
    agentContradiction.on(HOST, { commandId: 'c1' }),
    'agent-contradiction',
    'c1',
    'agent',
    'agent contradicts the runner',
    'lamp audit --action command.contradicted',
  ],
  [
    agentSilent.on(HOST, {}),
    'agent-silent',
    null,
    'heartbeat',
    'agent is silent',
    'systemctl status lamplighter-agent',
  ],
  [
    auditForeignObject.on(CONTROL_PLANE, { finding: 'f1' }),
    'audit-foreign-object',
    'f1',
    'audit',
    'audit anchors are not all ours',
    'npm run admin verify-audit',
  ],
  [
    auditRewritten.on(CONTROL_PLANE, { finding: 'f1' }),
    'audit-rewritten',
    'f1',
    'audit',
    'audit trail is not what was anchored',
    'npm run admin verify-audit',
  ],
  [
    auditUnanchored.on(CONTROL_PLANE, {}),
    'audit-unanchored',
    null,
    'audit',
    'audit trail is not anchored',
    'lamp audit',
  ],
  [
    auditUnchecked.on(CONTROL_PLANE, {}),
    'audit-unchecked',
    null,
    'audit',
    'audit trail is not checked',
    'lamp audit',
  ],
  [
    auditUncovered.on(CONTROL_PLANE, {}),
    'audit-uncovered',
    null,
    'audit',
    'audit trail is not covered by its anchors',
    'lamp audit',
  ],
  [
    backupCorrupt.on(HOST, { backupId: 'b1' }),
    'backup-corrupt',
    'b1',
    'backup',
    'backup b1 is corrupt',
    'lamp backup',
  ],
  [
    backupStale.on(HOST, { database: 'app' }),
    'backup-stale',
    null,
    'backup',
    'no fresh backup of app',
    'lamp backup',
  ],
  [checkFailing.on(HOST, WEB), 'check-failing', 'api', 'check', 'api is failing', 'lamp restart web'],
  [
    checkUnjudged.on(HOST, WEB),
    'check-unjudged',
    'api',
    'check',
    'api could not be judged',
    'lamp check --now',
  ],
  [
    jobFailed.on(HOST, { job: 'backup' }),
    'job-failed',
    'backup',
    'command',
    'scheduled backup did not succeed',
    'lamp commands',
  ],
];
const RUNBOOK = {
  version: 1,
  name: 'x',
  hosts: { 'web-1': { address: 'a' }, 'web-2': { address: 'b' } },
  checks: { api: { host: 'web-1', tcp: { port: 1 } } },
  backup: { host: 'web-1', database: 'app', schedule: '0 2 * * *' },
};

test.each(CASES)(
  '$condition keeps its id and subject, falls under the runbook’s kind, and says what to do',
  (occurrence, id, subject, kind, title, command) => {
    expect(occurrence).toMatchObject({ condition: id, subject, kind, title });
    const commands = findCondition(occurrence)
      ?.nextSteps(occurrence)
      .map((step) => step.command);
    expect(commands).toContain(command);
  },
);

test('the table has every condition once, and every kind of the runbook has one', () => {
  expect(CASES.map(([, id]) => id)).toEqual(CONDITIONS.map(({ id }) => id));
  expect(new Set(CONDITIONS.map(({ id }) => id)).size).toBe(CONDITIONS.length);
  expect(new Set(CASES.map(([, , , kind]) => kind))).toEqual(new Set(AlertKind.options));
});

const OTHERS: readonly [Occurrence, object][] = [
  [agentSilent.on('web-3', {}), {}],
  [agentContradiction.on('web-3', { commandId: 'c1' }), {}],
  [backupStale.on('web-2', { database: 'app' }), {}],
  [backupCorrupt.on(HOST, { backupId: 'b1' }), { backup: undefined }],
  [checkFailing.on('web-2', WEB), {}],
  [checkUnjudged.on(HOST, { check: 'gone' }), {}],
  [jobFailed.on('web-2', { job: 'backup' }), {}],
  [jobFailed.on(HOST, { job: 'gone' }), {}],
];
test('an alert is meant as long as the runbook has what it is about', () => {
  const isMeant = (occurrence: Occurrence, runbook = {}) =>
    findCondition(occurrence)?.isStillMeant(occurrence, Runbook.parse({ ...RUNBOOK, ...runbook }));
  for (const [occurrence, id] of CASES) expect(isMeant(occurrence), id).toBe(true);
  for (const [occurrence, runbook] of OTHERS)
    expect(isMeant(occurrence, runbook), occurrence.condition).toBe(false);
});

test('an alert whose facts another version wrote is let be', () => {
  for (const condition of CONDITIONS) {
    const alert = { host: HOST, facts: { check: 7 } };
    expect(condition.isStillMeant(alert, Runbook.parse(RUNBOOK))).toBe(true);
  }
});
