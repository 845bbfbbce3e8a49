import { expect, test } from 'vitest';
import { UnitName } from '#shared/names.ts';

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
