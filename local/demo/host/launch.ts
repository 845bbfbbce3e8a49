// Moves itself into the host's own cgroup, then becomes unshare(1), which makes the namespaces and starts boot.ts in them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [cgroupDir = '', nodeFile = '', bootFile = '', plan = ''] = process.argv.slice(2);
if (cgroupDir !== '') writeFileSync(join(cgroupDir, 'cgroup.procs'), String(process.pid));
const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--cgroup', '--net'];
process.execve?.(
  '/usr/bin/unshare',
  [
    'unshare',
    ...namespaces,
    '--fork',
    '--kill-child=SIGKILL',
    nodeFile,
    '--disable-warning=ExperimentalWarning',
    bootFile,
    plan,
  ],
  {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  },
);
