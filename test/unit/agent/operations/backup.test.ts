import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { dumpArguments } from '#agent/operations/backup/dump.ts';
import { expectBytes } from '#agent/operations/backup/size.ts';
import { planProcedure } from '#agent/operations/registry.ts';
import { restoreNames } from '#agent/operations/restore/database.ts';
import { restoreArguments } from '#agent/operations/restore/pass.ts';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import { BackupId, DatabaseName, HostName, idTimeMs } from '#shared/names.ts';
import { Policy } from '#shared/policy/policy.ts';

const CLUSTER = { socketDir: '/var/run/postgresql', port: 5432 };

test('pg_dump and pg_restore are asked by socket, without a password, and nothing is converted', () => {
  expect(dumpArguments(CLUSTER, 'analytics', 'LATIN1')).toEqual([
    '--format=custom',
    '--compress=0',
    '--lock-wait-timeout=10s',
    '--encoding=LATIN1',
    '-h',
    '/var/run/postgresql',
    '-p',
    '5432',
    '--no-password',
    "--dbname=dbname='analytics'",
  ]);
  const args = ['-U', 'lamplighter-restore', '-d', 'analytics_restore_1f3a9c'];
  expect(restoreArguments({ args }, '/tmp/list', 'stop')).toEqual([
    '--exit-on-error',
    '--no-owner',
    '--use-list=/tmp/list',
    ...args,
  ]);
  expect(restoreArguments({ args }, '/tmp/list', 'keep-going')).not.toContain('--exit-on-error');
});

test('a restore has the same names whenever it is asked for them, and PostgreSQL takes them', () => {
  const id = '0197c2aa-0000-7000-8000-0000001f3a9c';
  expect(restoreNames('analytics', id)).toEqual({
    database: 'analytics',
    fresh: 'analytics_restore_1f3a9c',
    kept: 'analytics_before_1f3a9c',
  });
  const long = restoreNames('a'.repeat(63), id);
  for (const name of [long.fresh, long.kept]) expect(DatabaseName.parse(name)).toBe(name);
});

test('a manifest that can not be read does not keep the next backup from being made', () => {
  const localDir = mkdtempSync(join(tmpdir(), 'lamplighter-backups-'));
  onTestFinished(() => rmSync(localDir, { recursive: true }));
  for (const [day, text] of [
    ['20261121', '{"cut off'],
    ['20261122', JSON.stringify({ payloadType: 'x', payload: 'e30=', signatures: [] })],
  ] as const) {
    mkdirSync(join(localDir, `${day}T020000Z-abcdef`));
    writeFileSync(join(localDir, `${day}T020000Z-abcdef`, 'manifest.json'), text);
  }
  const notes: string[] = [];
  expect(expectBytes(localDir, { database: 'd', databaseBytes: 400 }, (text) => notes.push(text))).toBe(100);
  expect(notes).toHaveLength(2);
});

test('a backup tells when it began by its id', () => {
  expect(idTimeMs(BackupId.parse('20261123T020304Z-1f3a9c'))).toBe(Date.parse('2026-11-23T02:03:04Z'));
});

const policy = Policy.parse({
  version: 1,
  host: 'web-1',
  operations: ['backup.run', 'restore.run'],
  units: {},
  databases: { analytics: { allow: ['backup', 'restore'] } },
  backup: {
    bucket: 'bucket',
    localDir: '/opt/app/backups',
    recipients: [`age1${'q'.repeat(58)}`],
    configPaths: [],
    minLocalRetentionDays: 7,
  },
});
const envelope = {
  id: '0197c2aa-0000-7000-8000-0000001f3a9c',
  host: HostName.parse('web-1'),
} as CommandEnvelope;
const BACKUP_ID = '20261123T020304Z-1f3a9c';

test.each([
  [1, 7],
  [30, 30],
])('a command that keeps local copies for %i days, on a host that keeps them for 7: %i', (asked, kept) => {
  const spec = { database: 'analytics', localRetentionDays: asked };
  const procedure = planProcedure('backup.run', spec, { policy, envelope });
  expect(procedure?.steps.find(({ name }) => name === 'retention')?.describe()).toContain(
    `older than ${kept} days`,
  );
});

const ORDERS = {
  'backup.run': { database: 'analytics', localRetentionDays: 30 },
  'restore.run': { backupId: BACKUP_ID, database: 'analytics', confirm: 'analytics', services: [] },
};

// Hosts have these names in their records: an agent that is updated in the middle of a command recovers by them.
test.each([
  ['backup.run', ['prepare', 'database', 'globals', 'config'], 'undo'],
  ['backup.run', ['manifest'], 'ask'],
  ['backup.run', ['upload', 'retention'], 'repeat'],
  [
    'restore.run',
    [
      'check-backup',
      'restore-roles',
      'create-database',
      'stop-services',
      'restore-database',
      'check-rows',
      'hand-over',
    ],
    'undo',
  ],
  ['restore.run', ['swap'], 'ask'],
  ['restore.run', ['start-services', 'clean-up'], 'repeat'],
] as const)('a crash of %s in %j: %s', (operation, names, policyOfCrash) => {
  const steps = planProcedure(operation, ORDERS[operation], { policy, envelope })?.steps ?? [];
  expect(steps.filter(({ afterCrash }) => afterCrash === policyOfCrash).map(({ name }) => name)).toEqual(
    names,
  );
});

test.each([
  ['backup.run', ['upload', 'retention']],
  ['restore.run', ['clean-up']],
] as const)('the work of %s stands without its last steps', (operation, last) => {
  const steps = planProcedure(operation, ORDERS[operation], { policy, envelope })?.steps ?? [];
  expect(steps.filter(({ takesNothingBack }) => takesNothingBack).map(({ name }) => name)).toEqual(last);
});

// Records of agents that are older than the steps' own schemas.
const REFUSED = { what: 'TABLE app.orders', why: 'ERROR: no', dumpId: 7 };
test.each([
  ['backup.run', 'upload', undefined],
  ['backup.run', 'upload', { problem: '503', hint: 'Wait.' }],
  ['restore.run', 'restore-database', { refused: [REFUSED], rowsByEntry: [[7, 3]] }],
  ['restore.run', 'check-rows', { rows: 3, refused: [] }],
  ['restore.run', 'hand-over', { refused: [], leftOut: ['SUBSCRIPTION s'] }],
] as const)('the record of an older agent is read: %s, %s, %j', (operation, name, data) => {
  const steps = planProcedure(operation, ORDERS[operation], { policy, envelope })?.steps ?? [];
  expect(steps.find((step) => step.name === name)?.output?.parse(data)).toEqual(data);
});
