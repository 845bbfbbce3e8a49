import { expect, test } from 'vitest';
import { renderResult } from '#cli/operation/results.ts';
import { palette } from '#cli/output/style.ts';
import { displayWidth } from '#cli/output/width.ts';
import type { ViewContext } from '#cli/view.ts';
import type { CommandView } from '#shared/api/views.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { command, NOW, UNIT } from '#test/integration/cli/samples.ts';

const context: ViewContext = { paint: palette({ env: {} }, false), width: 80, nowMs: Date.parse(NOW) };
const show = (more: Partial<Record<keyof CommandView, unknown>>, width = 80): string =>
  renderResult(command(more), { ...context, width });

const BACKUP_ID = '20261123T020000Z-1f3a9c';
const VITALS = {
  bootId: 'b0b0',
  uptimeS: 90_000,
  load: [0.12, 0.1, 0.08],
  memory: { totalBytes: 4_000_000_000, availableBytes: 3_000_000_000 },
  disks: [{ mount: '/', totalBytes: 40_000_000_000, freeBytes: 20_000_000_000 }],
  units: [UNIT],
};
const BACKUP = {
  backupId: BACKUP_ID,
  database: 'analytics',
  bytes: 412_345_678,
  tables: 12,
  rows: 310_001,
  durationMs: 70_000,
  manifestObject: `hosts/vm-1/backups/${BACKUP_ID}/manifest.json`,
};
const RESTORE = {
  backupId: BACKUP_ID,
  database: 'analytics',
  keptAs: 'analytics_before_0c0de1',
  tables: 12,
  rows: 310_001,
  durationMs: 70_000,
};

test.each<[string, Partial<Record<keyof CommandView, unknown>>, RegExp[]]>([
  [
    'a unit that was restarted',
    {},
    [/^SERVICE +STATE/, /web +active \(running\)/, /^healthy {2}main process 4321 {2}memory 41\.2 MB$/m],
  ],
  [
    'a unit that was stopped',
    {
      operation: 'service.stop',
      result: {
        unit: {
          ...UNIT,
          activeState: 'inactive',
          subState: 'dead',
          mainPid: 0,
          activeSince: null,
          memoryBytes: null,
        },
        healthy: false,
      },
    },
    [/web +inactive \(dead\) +-/],
  ],
  [
    "a unit's status",
    { operation: 'service.status', result: { unit: UNIT } },
    [/web +active \(running\) +9 s ago/, /^main process 4321/m],
  ],
  [
    'log lines',
    {
      operation: 'service.logs',
      result: { lines: [{ at: NOW, priority: 6, message: 'hello' }], truncated: true },
    },
    [/08:30:00 {2}hello$/m, /older lines were left out/],
  ],
  [
    'vitals',
    { operation: 'host.vitals', params: { host: 'vm-1' }, result: VITALS },
    [
      /^up 25 h {2}load 0\.12 0\.10 0\.08 {2}memory 1\.0 GB of 4\.0 GB \(25 %\)$/m,
      /^\/ +40\.0 GB +20\.0 GB +50 %$/m,
      /^app-web\.service +active \(running\)/m,
    ],
  ],
  [
    'a backup',
    { operation: 'backup.run', params: {}, result: BACKUP },
    [
      /^backup 20261123T020000Z-1f3a9c of database analytics$/m,
      /^ {2}412 MB, 310,001 rows in 12 tables, taken in 1:10 min$/m,
      /proof: lamp backups$/m,
    ],
  ],
  [
    'a backup whose dump is encrypted',
    { operation: 'backup.run', params: {}, result: { ...BACKUP, isEncrypted: true } },
    [/^ {2}encrypted to the recipients of the host's policy; a restore needs an identity$/m],
  ],
  [
    'a backup without some of the configuration',
    { operation: 'backup.run', params: {}, result: { ...BACKUP, leftOut: ['/srv/app/current/.env'] } },
    [/^ {2}left out: \/srv\/app\/current\/\.env \(behind a link that is not root's\)$/m],
  ],
  [
    'a list of backups',
    {
      operation: 'backup.list',
      params: {},
      result: { backups: [{ backupId: BACKUP_ID, bytes: 412_345_678, isUploaded: true }] },
    },
    [/^BACKUP +SIZE +UPLOADED$/m, /^20261123T020000Z-1f3a9c +412 MB +yes$/m],
  ],
  [
    'an empty list of backups',
    { operation: 'backup.list', params: {}, result: { backups: [] } },
    [/^the host keeps no backup$/m],
  ],
  [
    'a restore',
    { operation: 'restore.run', result: RESTORE },
    [/^database analytics is restored from 20261123T020000Z-1f3a9c$/m, /kept as analytics_before_0c0de1$/m],
  ],
])('%s', (_name, more, expected) => {
  const text = show(more);
  for (const pattern of expected) expect(text).toMatch(pattern);
  expect(text).not.toMatch(/activeState|durationMs|keptAs|backupId/);
});

const PLAN = {
  plan: [
    { step: 'check-unit', does: 'see that systemd knows app-web.service' },
    { step: 'restart', does: '/usr/bin/systemctl restart app-web.service' },
  ],
};

test('a plan is a numbered list of steps', () => {
  expect(show({ dryRun: true, result: PLAN })).toBe(`it would take 2 steps:
  1. check-unit  see that systemd knows app-web.service
  2. restart     /usr/bin/systemctl restart app-web.service
`);
});

test('a plan in a narrow terminal goes on under its own column', () => {
  const lines = show({ dryRun: true, result: PLAN }, 45).split('\n');
  expect(lines.slice(1, 3)).toEqual([
    '  1. check-unit  see that systemd knows',
    '                 app-web.service',
  ]);
});

test('a plan of many steps keeps its numbers in line', () => {
  const plan = Array.from({ length: 10 }, (_, i) => ({ step: `s${i}`, does: 'x' }));
  expect(show({ dryRun: true, result: { plan } })).toContain('   9. s8  x\n  10. s9  x\n');
});

test('a dry run of a read shows what it read', () => {
  expect(show({ operation: 'service.status', dryRun: true, result: { unit: UNIT } })).toContain(
    'active (running)',
  );
});

test('an operation without a view shows its fields in the order of its definition', () => {
  // The order of the store: shorter keys first.
  const result = { appended: true, path: '/var/log/alerts.jsonl' };
  expect(show({ operation: 'alert.append', result })).toBe(
    '  path: /var/log/alerts.jsonl\n  appended: yes\n',
  );
});

test('an operation that this lamp does not know shows what came, with units where names tell them', () => {
  const result = { tookMs: 1500, freeBytes: 1_000_000, deepList: [{ name: 'a' }], names: ['x', 'y'] };
  expect(show({ operation: 'disk.clean', result })).toBe(
    '  took: 1.5 s\n  free: 1.0 MB\n  deep list:\n    -\n      name: a\n  names: x y\n',
  );
});

test('a result in a form that this lamp does not know is shown all the same', () => {
  expect(show({ operation: 'backup.list', result: { copies: 3 } })).toBe('  copies: 3\n');
});

test('text of the host can not drive the terminal, whatever the view', () => {
  const evil = '\u001b[2J\u009b';
  for (const { name } of CATALOGUE) {
    for (const result of [
      { x: evil },
      { [evil]: 1 },
      { ...BACKUP, manifestObject: evil },
      { unit: { ...UNIT, subState: evil }, healthy: true },
    ]) {
      const text = show({ operation: name, result });
      expect(text).not.toContain('\u001b');
      expect(text).not.toContain('\u009b');
    }
  }
  expect(show({ dryRun: true, result: { plan: [{ step: evil, does: evil }] } })).not.toContain('\u001b');
});

test.each([80, 60, 40])('no table is wider than %i columns', (width) => {
  for (const more of [{}, { operation: 'host.vitals', result: VITALS }]) {
    for (const line of show(more, width).split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width);
  }
});

const SESSION = {
  pid: 41,
  user: 'app',
  application: 'worker',
  clientAddress: null,
  state: 'idle in transaction',
  sessionMs: 7_200_000,
  stateMs: 600_000,
  transactionMs: 3_600_000,
  queryMs: null,
  waitsFor: null,
  blockedBy: [],
};
const PLACE = {
  path: '/opt/app',
  totalBytes: 100e9,
  freeBytes: 2e9,
  totalInodes: 1000,
  freeInodes: 900,
  usedBytes: 5e9,
  isPartial: true,
  largest: [{ path: '/opt/app/logs/a\u001b[2J.log', kind: 'file', bytes: 4e9 }],
};
const JOBS = { jobs: 'etl', database: 'analytics', table: 'public.jobs' };
const MEMORY = {
  memory: { totalBytes: 4e9, availableBytes: 1e9, swapTotalBytes: 0, swapFreeBytes: 0 },
  oomKills: 2,
  processes: [{ pid: 7, name: 'gunicorn', user: 'app', unit: 'app-web.service', residentBytes: 2e9 }],
  units: [
    {
      unit: 'app-web.service',
      processes: 3,
      residentBytes: 2.5e9,
      bytes: 2.6e9,
      peakBytes: null,
      oomKills: 1,
    },
  ],
  processesInAll: 90,
};

test.each<[string, string, unknown, RegExp[]]>([
  [
    'a server that rejects',
    'db.ready',
    {
      database: 'analytics',
      socketDir: '/run/postgresql',
      port: 5432,
      answer: 'rejecting',
      means: 'It starts.',
    },
    [/^PostgreSQL on \/run\/postgresql, port 5432: rejecting$/m, /^It starts\.$/m],
  ],
  [
    'connections',
    'db.connections',
    {
      used: 90,
      maxConnections: 100,
      reserved: 3,
      groups: [{ database: 'analytics', user: 'app', state: 'idle', connections: 90 }],
      leftOut: 1,
    },
    [
      /^90 of 97 connections in use \(93 %\); 3 more are reserved/m,
      /^analytics +app +idle +90$/m,
      /^1 more group is not shown$/m,
    ],
  ],
  [
    'sessions',
    'db.sessions',
    { database: 'analytics', sessions: [SESSION, { ...SESSION, pid: 42, blockedBy: [41] }], leftOut: 0 },
    [/^ *41 +app .*1 h .*-$/m, /^ *42 .*process 41$/m],
  ],
  [
    'no sessions',
    'db.sessions',
    { database: 'analytics', sessions: [], leftOut: 0 },
    [/^no sessions in database analytics$/m],
  ],
  [
    'what fills a disk',
    'disk.usage',
    { places: [PLACE] },
    [
      /^\/opt\/app: 5\.0 GB below it, 2\.0 GB of 100 GB free \(98 % used\), 10 % of the inodes used, not all of it was seen in time$/m,
      /^4\.0 GB +file +\/opt\/app\/logs\/a\\x1b\[2J\.log$/m,
    ],
  ],
  [
    'a clean-up',
    'disk.clean',
    {
      folder: '/opt/app/logs',
      freedBytes: 3e9,
      freeBytes: 5e9,
      removed: [{ name: 'old.log', bytes: 3e9, changedAt: '2026-11-01T00:00:00.000Z' }],
      left: [{ name: 'open.log', why: 'a process has it open' }],
      more: 4,
    },
    [
      /^3\.0 GB freed: 1 file removed from \/opt\/app\/logs; 5\.0 GB are free now$/m,
      /^old\.log +3\.0 GB +22 d ago$/m,
      /^open\.log +a process has it open$/m,
      /^4 more could go/m,
    ],
  ],
  [
    'memory',
    'memory.top',
    MEMORY,
    [
      /memory 3\.0 GB of 4\.0 GB \(75 %\) {2}no swap {2}2 OOM kills since boot$/m,
      /^app-web\.service +3 +2\.5 GB +62\.5 %/m,
      /^ *7 +gunicorn +app/m,
      /^89 smaller processes/m,
    ],
  ],
  [
    'stuck jobs',
    'jobs.stuck',
    {
      ...JOBS,
      afterMin: 60,
      rows: [{ key: '17', status: 'processing', since: '2026-11-23T05:30:00.000Z', ageMs: 1 }],
      more: 2,
    },
    [
      /^3 jobs in public\.jobs of database analytics stuck for more than 1 h$/m,
      /^17 +processing +3 h ago$/m,
      /lamp unstick etl --dry-run$/m,
    ],
  ],
  [
    'jobs that were reset',
    'jobs.reset',
    {
      ...JOBS,
      resetTo: 'failed',
      reset: [{ key: '17', since: '2026-11-23T05:30:00.000Z' }],
      left: [{ key: '18', why: 'it is gone' }],
      more: 0,
    },
    [/^1 job reset to failed in public\.jobs of database analytics$/m, /^17 +3 h ago$/m, /^18 +it is gone$/m],
  ],
])('%s is shown', (_name, operation, result, expected) => {
  const text = show({ operation, params: {}, result });
  for (const pattern of expected) expect(text).toMatch(pattern);
  expect(text).not.toMatch(/residentBytes|leftOut|isPartial|freedBytes/);
});

test('a plan lists what exactly each step would act on', () => {
  const plan = [
    { step: 'find', does: 'find old files' },
    { step: 'remove', does: 'remove them', exactly: ['a.log, 5 bytes', 'b\u001b.log'] },
    { step: 'again', does: 'remove others', exactly: [] },
  ];
  expect(show({ operation: 'disk.clean', dryRun: true, result: { plan } })).toBe(`it would take 3 steps:
  1. find    find old files
  2. remove  remove them
             - a.log, 5 bytes
             - b\\x1b.log
  3. again   remove others
             - nothing
`);
});
