import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { APPS, appUnit } from '#local/demo/platform/files.ts';
import { writeOldLogs } from '#local/demo/platform/old-logs.ts';

const HOST = { kind: 'systemd', path: (path: string) => path, port: (port: number) => port } as const;

test.each(APPS)('app-%s runs unprivileged and stays down after a hard kill', (app) => {
  const unit = appUnit(app, 'postgresql@15-main.service', HOST).split('\n');
  expect(unit).toEqual(
    expect.arrayContaining([
      'User=app',
      'Restart=on-failure',
      'RestartPreventExitStatus=SIGKILL',
      'Wants=postgresql@15-main.service',
      `ExecStart=/opt/app/bin/node /opt/app/current/${app}.mjs`,
    ]),
  );
});

const NOW = Date.parse('2026-11-23T12:00:00Z');
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-logs-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('old logs carry the day they were written on', () => {
  writeOldLogs(dir, NOW);
  expect(readdirSync(dir)).toContain('etl-2026-11-03.log');
  expect(statSync(join(dir, 'etl-2026-11-03.log')).mtime.toISOString()).toBe('2026-11-03T12:00:00.000Z');
});

test('old logs that were cleaned up in part do not come back', () => {
  writeFileSync(join(dir, 'kept.log'), '');
  writeOldLogs(dir, NOW);
  expect(readdirSync(dir)).toEqual(['kept.log']);
});
