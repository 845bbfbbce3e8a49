// Where things are on a host. The installer makes them; agent and runner find them here.

export const PATHS = {
  program: '/opt/lamplighter',
  config: '/etc/lamplighter/agent.yaml',
  policy: '/etc/lamplighter/policy.yaml',
  pinnedKeys: '/etc/lamplighter/pinned-keys',
  agentKey: '/etc/lamplighter/agent.key',
  runnerKey: '/etc/lamplighter/runner.key',
  runnerPublicKey: '/etc/lamplighter/runner.pub',
  environment: '/etc/lamplighter/agent.env',
  agentState: '/var/lib/lamplighter/agent',
  runs: '/var/lib/lamplighter/runs',
  locks: '/var/lib/lamplighter/locks.db',
  socket: '/run/lamplighter/run.sock',
} as const;
