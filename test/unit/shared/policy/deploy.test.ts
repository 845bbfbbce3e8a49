import { describe, expect, test } from 'vitest';
import { HostDeployments, isRefAllowed } from '#shared/policy/deploy.ts';

const git = { remote: '/srv/app.git', releases: '/opt/app/releases', current: '/opt/app/current' };
const read = (change: object = {}, more: object = {}) =>
  HostDeployments.safeParse({ app: { account: 'app', git: { ...git, ...change }, ...more } });

test.each([
  ['/srv/app.git', true],
  ['/srv/a b/äpp.git', true],
  ['https://git.example.com/team/app.git', true],
  ['ssh://git@git.example.com:2222/team/app.git', true],
  ['https://user@git.example.com/app.git', false],
  ['https://user:secret@git.example.com/app.git', false],
  ['https://git.example.com/app.git?token=x', false],
  ['ssh://git:secret@git.example.com/app.git', false],
  ['ssh://git.example.com/app.git', false],
  ['ssh://git@-oProxyCommand=x/app.git', false],
  ['ssh://-oProxyCommand=x@host/app.git', false],
  ['git@git.example.com:team/app.git', false],
  ['http://git.example.com/app.git', false],
  ['git://git.example.com/app.git', false],
  ['ext::sh -c id', false],
  ['file:///srv/app.git', false],
  ['--upload-pack=id', false],
  ['../app.git', false],
  ['/srv/app.git\n[core]', false],
])('a remote %j: %s', (remote, isRight) => {
  expect(read({ remote }).success).toBe(isRight);
});

test.each([
  [{ sshKey: '/etc/deploy/key' }, true],
  [{ sshKey: '/etc/deploy/key;id' }, false],
  [{ knownHosts: '/etc/$(id)' }, false],
  [{ credentialFile: '/etc/deploy/my file' }, false],
  [{ links: { 'config/.env': '/opt/app/.env' } }, true],
  [{ links: { '../.env': '/opt/app/.env' } }, false],
  [{ links: { '-f': '/opt/app/.env' } }, false],
  [{ links: { '/etc/passwd': '/opt/app/.env' } }, false],
  [{ test: [['/usr/bin/npm', 'test']] }, true],
  [{ test: [['npm', 'test']] }, false],
  [{ test: ['npm test'] }, false],
  [{ migrate: { run: [], paths: [] } }, false],
  [{ migrate: { run: [['/bin/true']], paths: ['../x'] } }, false],
  [{ keep: 1 }, false],
] as const)('terms with %j: %s', (change, isRight) => {
  expect(read(change).success).toBe(isRight);
});

test.each([
  [{ account: 'root' }, false],
  [{ account: '-u' }, false],
  [{ account: 'deploy' }, true],
  [{ environment: { PGHOST: '/run' } }, true],
  [{ environment: { 'a b': 'x' } }, false],
] as const)('a deployment with %j: %s', (more, isRight) => {
  expect(read({}, more).success).toBe(isRight);
});

describe('which refs may be deployed', () => {
  test.each([
    [undefined, 'anything', true],
    [['v*'], 'v1.2', true],
    [['v*'], 'dev', false],
    [['v*', 'main'], 'main', true],
    [['main'], 'main2', false],
    [['main'], 'xmain', false],
    [['release/*/ok'], 'release/2/ok', true],
    [['release/*/ok'], 'release/ok', false],
    [['a*a'], 'a', false],
    [['*'], 'x', true],
    [['v*.*'], 'v1', false],
  ] as const)('%j and %s: %s', (allowRefs, ref, isAllowed) => {
    const { app } = HostDeployments.parse({ app: { account: 'app', git: { ...git, allowRefs } } });
    expect(isRefAllowed(ref, app!.git)).toBe(isAllowed);
  });
});
