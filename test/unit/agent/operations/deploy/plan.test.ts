import { describe, expect, test } from 'vitest';
import { releaseIdFor, releaseTime } from '#agent/operations/deploy/find-release.ts';
import { chooseOldReleases } from '#agent/operations/deploy/go-live.ts';
import { planProcedure } from '#agent/operations/registry.ts';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import { HostName, ReleaseId } from '#shared/names.ts';
import { findOperation } from '#shared/operations/catalogue.ts';
import { Policy } from '#shared/policy/policy.ts';

const WEB = 'app-web.service';
const git = {
  remote: '/srv/app.git',
  releases: '/opt/app/releases',
  current: '/opt/app/current',
  install: [['/usr/bin/npm', 'ci']],
  test: [['/usr/bin/npm', 'test']],
  migrate: { run: [['/usr/bin/npm', 'run', 'migrate']], paths: ['migrations'] },
};
const terms = {
  version: 1,
  host: 'web-1',
  operations: ['deploy.run'],
  units: { [WEB]: ['restart', 'stop'] },
  healthChecks: [{ port: 80 }],
  databases: { shop: { allow: ['backup'] } },
  backup: {
    bucket: 'bucket',
    localDir: '/opt/app/backups',
    recipients: [`age1${'q'.repeat(58)}`],
    configPaths: [],
  },
  deployments: { app: { account: 'app', git } },
};
const policy = Policy.parse(terms);
const spec = {
  deployment: 'app',
  ref: 'v1',
  services: [{ service: 'web', unit: WEB, health: { tcp: { port: 80 }, withinMs: 30_000 } }],
  backup: { database: 'shop', encryptDump: false },
};
const envelope = {
  id: '0197c2aa-0000-7000-8000-0000001f3a9c',
  host: HostName.parse('web-1'),
} as CommandEnvelope;
const plan = (change: object = {}, given = policy) =>
  planProcedure('deploy.run', { ...spec, ...change }, { policy: given, envelope })?.steps ?? [];

test('a dry run names every program with its arguments and its account', () => {
  const does = plan().map((step) => `${step.name}: ${step.describe()}`);
  expect(does).toEqual([
    'find-release: as app: git fetch /srv/app.git, and find the commit of v1',
    'check-out: as app: git checkout of that commit into a new directory of /opt/app/releases',
    'install: as app, in the release: /usr/bin/npm ci',
    'test: as app, in the release: /usr/bin/npm test',
    'back-up: back up shop, if the migration is to run; the host uploads it afterwards',
    'migrate: if migrations changed: as app, in the release: /usr/bin/npm run migrate',
    'switch: point /opt/app/current at the release, in one rename',
    `restart-services: systemctl restart ${WEB}, each until it is healthy`,
    'prune: keep the newest 5 releases in /opt/app/releases, remove older ones',
  ]);
});

// The names are in the records of hosts: an agent that is updated in the middle of a command recovers by them.
test.each([
  [['find-release', 'check-out', 'install', 'test', 'back-up', 'migrate'], 'undo'],
  [['switch'], 'ask'],
  [['restart-services', 'prune'], 'repeat'],
] as const)('a crash in %j: %s', (names, afterCrash) => {
  const steps = plan().filter((step) => step.afterCrash === afterCrash);
  expect(steps.map(({ name }) => name)).toEqual(names);
});

test('what the policy does not declare is no step', () => {
  const bare = Policy.parse({
    ...terms,
    deployments: { app: { account: 'app', git: { ...git, install: [], test: [], migrate: undefined } } },
  });
  expect(plan({}, bare).map(({ name }) => name)).toEqual([
    'find-release',
    'check-out',
    'switch',
    'restart-services',
    'prune',
  ]);
});

describe('the host’s policy has the last word', () => {
  const operation = findOperation('deploy.run');
  const permit = (change: object, more: object = {}) =>
    operation.permit(operation.spec.parse({ ...spec, ...change }), Policy.parse({ ...terms, ...more }), 0);
  const deployment = (change: object) => ({
    deployments: { app: { account: 'app', git: { ...git, ...change } } },
  });
  test.each([
    ['all is named', {}, {}, undefined],
    ['another deployment', { deployment: 'other' }, {}, "the host's policy has no deployment other"],
    [
      'a ref that it does not allow',
      {},
      deployment({ allowRefs: ['release/*'] }),
      'does not allow the ref v1',
    ],
    [
      'a unit that may not be restarted',
      {},
      { units: { [WEB]: ['stop'] } },
      'does not allow restart and stop',
    ],
    ['a health check of another port', {}, { healthChecks: [] }, 'does not allow a health check'],
    ['a migration and no database', { backup: undefined }, {}, 'names no database to back up before it'],
    [
      'a migration of a database that is not backed up',
      {},
      { databases: {} },
      'does not allow backup of database shop',
    ],
    ['no migration and no database', { backup: undefined }, deployment({ migrate: undefined }), undefined],
  ])('%s', (_name, change, more, detail) => {
    const verdict = permit(change, more);
    expect(verdict).toMatchObject(
      detail === undefined ? { allowed: true } : { allowed: false, detail: expect.stringContaining(detail) },
    );
  });
});

test('a release is called by its second and its commit', () => {
  const id = releaseIdFor(new Date('2026-11-27T02:03:04.567Z'), '1f3a9c0b'.padEnd(40, '0'));
  expect(id).toBe('20261127T020304Z-1f3a9c0b');
});

test.each([
  ['the first', [], '020304'],
  ['a later second than the newest', ['20261127T020303Z-ffffffff'], '020304'],
  ['the second of the newest', ['20261127T010000Z-00000000', '20261127T020304Z-ffffffff'], '020305'],
  ['a clock that was set back', ['20261127T030000Z-00000000'], '030001'],
])('ids sort as releases are made: %s', (_name, there, time) => {
  const at = releaseTime(
    new Date('2026-11-27T02:03:04.567Z'),
    there.map((id) => ReleaseId.parse(id)),
  );
  expect(releaseIdFor(at, '0'.repeat(40))).toBe(`20261127T${time}Z-00000000`);
});

test.each([
  [['1', '2', '3'], 2, [], ['1']],
  [['3', '1', '2'], 2, [], ['1']],
  [['1', '2', '3'], 2, ['1'], []],
  [['1', '2', '3', '4'], 2, ['1', '4'], ['2']],
  [['1', '2'], 5, [], []],
])('of releases %j the newest %d stay, and %j in any case: %j go', (given, keep, stay, gone) => {
  const id = (day: string) => ReleaseId.parse(`2026110${day}T000000Z-00000000`);
  expect(chooseOldReleases(given.map(id), keep, stay.map(id))).toEqual(gone.map(id));
});
