import { describe, expect, test } from 'vitest';
import { findHostState } from '#functions/store/hosts.ts';
import { useReportingHost } from '#test/fixtures/reporting-host.ts';

const host = useReportingHost();

describe('heartbeats', () => {
  const at = (ms: number) => new Date(host.deps.now.getTime() + ms).toISOString();

  test('the newest counts, an older one that comes late does not', async () => {
    await host.deliver(host.heartbeat({ at: at(0), agentVersion: 'new' }), host.keys.agent);
    expect(
      await host.deliver(host.heartbeat({ at: at(-30_000), agentVersion: 'old' }), host.keys.agent),
    ).toBe('known');
    expect(await findHostState(host.database.db, 'web-1')).toMatchObject({ agentVersion: 'new' });
  });

  test('one from the future does not silence the host', async () => {
    await host.deliver(host.heartbeat({ at: at(86_400_000), agentVersion: 'wrong clock' }), host.keys.agent);
    expect(
      await host.deliver(host.heartbeat({ at: at(30_000), agentVersion: 'right clock' }), host.keys.agent),
    ).toBe('recorded');
  });

  test('the runner sends none', async () => {
    expect(await host.deliver(host.heartbeat({ at: at(60_000) }), host.keys.runner)).toBe(
      'refused: wrong-key',
    );
  });

  test('what PostgreSQL can’t hold is kept with the odd characters replaced', async () => {
    const report = host.heartbeat({ at: at(120_000), agentVersion: 'nul \u0000', policyHash: 'half \ud800' });
    expect(await host.deliver(report, host.keys.agent)).toBe('recorded');
    expect(await findHostState(host.database.db, 'web-1')).toMatchObject({ agentVersion: 'nul \ufffd' });
  });
});
