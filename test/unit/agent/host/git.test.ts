import { expect, test } from 'vitest';
import {
  checkOutArguments,
  fetchArguments,
  gitEnvironment,
  gitSettings,
  protocolOf,
  resolveArguments,
  sameFilesArguments,
} from '#agent/host/git.ts';

const MIRROR = '/var/lib/lamplighter/deployments/app/mirror.git';

test.each([
  ['/srv/app.git', 'file'],
  ['https://git.example.com/app.git', 'https'],
  ['ssh://git@git.example.com/app.git', 'ssh'],
] as const)('from %s git fetches by %s and by nothing else', (remote, protocol) => {
  expect(protocolOf(remote)).toBe(protocol);
  expect(gitEnvironment({ remote }, '/s')).toMatchObject({
    GIT_ALLOW_PROTOCOL: protocol,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/s',
    GIT_TERMINAL_PROMPT: '0',
  });
});

test('ssh asks nobody, takes no unknown host, and reads only the key that the policy names', () => {
  const remote = 'ssh://git@git.example.com/app.git';
  const { GIT_SSH_COMMAND } = gitEnvironment({ remote, sshKey: '/k', knownHosts: '/h' }, '/s');
  for (const option of [
    '-F /dev/null',
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    'UserKnownHostsFile=/h',
    'IdentitiesOnly=yes -i /k',
  ])
    expect(GIT_SSH_COMMAND).toContain(option);
  expect(gitEnvironment({ remote: '/srv/app.git', sshKey: '/k' }, '/s')).not.toHaveProperty(
    'GIT_SSH_COMMAND',
  );
});

test('settings run no hook and trust no repository but the one that root named', () => {
  const text = gitSettings({ remote: '/srv/a "b\\c.git' });
  expect(text).toContain('hooksPath = /dev/null');
  expect(text).toContain('directory = "/srv/a \\"b\\\\c.git"');
  expect(text).toMatch(/\[credential\]\n\thelper =\n\[safe\]\n\tdirectory =\n/);
  const https = gitSettings({ remote: 'https://x/y', credentialFile: '/etc/deploy/credentials' });
  expect(https).toContain('helper = store --file=/etc/deploy/credentials');
  expect(https).not.toContain('directory = "');
});

test('what a caller gives stands where git takes no option', () => {
  expect(fetchArguments(MIRROR, '/srv/app.git').slice(-4)).toEqual([
    '--',
    '/srv/app.git',
    '+refs/heads/*:refs/heads/*',
    '+refs/tags/*:refs/tags/*',
  ]);
  expect(resolveArguments(MIRROR, 'refs/tags/v1').slice(-2)).toEqual([
    '--end-of-options',
    'refs/tags/v1^{commit}',
  ]);
  expect(checkOutArguments(MIRROR, 'c0ffee', '/opt/app/releases/x')).toEqual([
    `--git-dir=${MIRROR}`,
    '--work-tree=/opt/app/releases/x',
    'checkout',
    '--quiet',
    '--force',
    '--no-recurse-submodules',
    'c0ffee',
    '--',
    '.',
  ]);
  expect(sameFilesArguments(MIRROR, ['a', 'b'], ['-x', 'm*']).slice(-4)).toEqual([
    'b',
    '--',
    ':(top,literal)-x',
    ':(top,literal)m*',
  ]);
});
