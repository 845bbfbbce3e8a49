// A real host with the agent that its installer put there: its logs, and its metadata server. Booting one for each would take
// longer than the tests do.
import { afterAll, beforeAll, describe } from 'vitest';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { type AgentHost, startAgentHost } from '#test/fixtures/agent-host.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';
import { describeLogs, LOG_POLICY, LOG_UNITS } from './logs.ts';
import { describeMetadataGuard } from './metadata-guard.ts';

const { systemdHost } = detectCapabilities();

describe.skipIf(systemdHost !== true)(`a real host${whySkipped(systemdHost)}`, () => {
  let host: AgentHost;

  beforeAll(async () => {
    host = await startAgentHost({ policy: LOG_POLICY, units: LOG_UNITS });
  });
  afterAll(async () => {
    await host?.close();
  });

  describeLogs(() => host);
  describeMetadataGuard(() => host);
});
