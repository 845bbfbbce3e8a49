import { expect, test } from 'vitest';
import { explainMissing } from '#local/demo/setup/packages.ts';

test('says in one message what is missing and how to install it on each kind of machine', () => {
  const text = explainMissing([
    { purpose: 'PostgreSQL', debian: 'postgresql', isForHost: false, isThere: () => false },
    { purpose: 'nginx', debian: 'nginx', isForHost: true, isThere: () => false },
  ]);
  expect(text).toContain('install PostgreSQL, nginx: ');
  expect(text).toContain('sudo apt-get install postgresql nginx');
  expect(text).toContain('dnf install');
  expect(text).toContain('brew install');
});
