import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { tellKept } from '#agent/install/kept.ts';

test('whoever uninstalls is told of each file that stays, and of what lies elsewhere', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-kept-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const [settings, state] = [join(dir, 'etc'), join(dir, 'state')];
  for (const path of [state, join(settings, 'former-runner-keys')]) mkdirSync(path, { recursive: true });
  const files = ['age-identity.txt', 'google-credentials.json', 'policy.yaml', 'release-key.pem'];
  for (const name of files) writeFileSync(join(settings, name), '');
  const told = tellKept(settings, state)
    .split('\n')
    .map((line) => line.trim());
  for (const name of [...files, 'former-runner-keys']) expect(told).toContain(join(settings, name));
  expect(told).toContain(state);
  expect(told.join()).toMatch(/local backups.*put aside.*system accounts/);
});
