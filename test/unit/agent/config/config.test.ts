import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readConfig } from '#agent/config/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'lamplighter-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD = 'host: web-1\nprojectId: p\nsubscription: s\n';

test.each([
  ['a value is missing', 'host: web-1\nprojectId: p\n', 'subscription: it is missing'],
  ['a value has another form', `${GOOD}heartbeatEveryMs: soon\n`, 'heartbeatEveryMs: it must be a number'],
  ['a key is not known', `${GOOD}hots: web-1\n`, 'the file: unknown "hots"'],
  ['the file is a list', '- web-1\n', 'the file: it must be a mapping'],
])('says in plain words what is wrong and where: %s', (_name, text, told) => {
  const file = join(folder, 'agent.yaml');
  writeFileSync(file, text);
  expect(() => readConfig(file)).toThrow(`read settings ${file}: ${told}`);
});
