import { expect, test } from 'vitest';
import { GitRef, UnitName } from '#shared/names.ts';

test.each([
  'app-web.service',
  'postgresql@15-main.service',
  'wk@-srv-my\\x2dapp.service',
  'a@b@c.service',
  'tick.timer',
  'seen.path',
  'app.socket',
  'srv-my\\x2dapp.mount',
  'proc-sys-fs-binfmt_misc.automount',
  'dev-sda1.device',
  'dev-sda2.swap',
  'multi-user.target',
  'user-1000.slice',
  'session-1.scope',
  'org.example.App.service',
  '9front.service',
  `${'a'.repeat(247)}.service`,
])('%s is a unit', (name) => {
  expect(UnitName.safeParse(name).success).toBe(true);
});

test.each([
  ['worker@.service', 'name an instance'],
  ['-.mount', 'such as app-web.service'],
  ['--force.service', 'such as app-web.service'],
  ['@1.service', 'such as app-web.service'],
  ['app-web', 'such as app-web.service'],
  ['app.conf', 'such as app-web.service'],
  ['a/b.service', 'such as app-web.service'],
  ['a b.service', 'such as app-web.service'],
  ['a*.service', 'such as app-web.service'],
  ['ä.service', 'such as app-web.service'],
  ['a.service\n', 'such as app-web.service'],
  ['.service', 'such as app-web.service'],
  ['', 'such as app-web.service'],
  [`${'a'.repeat(248)}.service`, 'at most 255'],
])('%j is not: %s', (name, why) => {
  const parsed = UnitName.safeParse(name);
  expect(parsed.error?.issues.map(({ message }) => message).join()).toContain(why);
});

test.each([
  ['v1.2.3', true],
  ['main', true],
  ['feature/new-page_2', true],
  ['user@topic', true],
  ['v1+build.5', true],
  ['1f3a9c0', true],
  ['-v1', false],
  ['--upload-pack=id', false],
  ['a..b', false],
  ['a/../b', false],
  ['.hidden', false],
  ['a/.hidden', false],
  ['a//b', false],
  ['/a', false],
  ['a/', false],
  ['a.', false],
  ['a.lock', false],
  ['a.lock/b', false],
  ['HEAD~1', false],
  ['v1^{commit}', false],
  ['main@{1}', false],
  ['a:b', false],
  ['a b', false],
  ['a*', false],
  ['a\n', false],
  ['', false],
  ['a'.repeat(201), false],
])('%j is a ref of git: %s', (ref, isRight) => {
  expect(GitRef.safeParse(ref).success).toBe(isRight);
});
