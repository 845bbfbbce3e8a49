import { describe, expect, test } from 'vitest';
import { sweepCommands } from '#functions/command/sweep.ts';
import { findCommand } from '#functions/store/commands.ts';
import { useReportingHost } from '#test/fixtures/reporting-host.ts';

const host = useReportingHost();

describe('the sweep', () => {
  test('a command that its host never took expires, and the host’s late word counts more', async () => {
    const id = await host.sentCommand();
    host.deps.advance(5 * 60_000);
    await sweepCommands(host.deps);
    expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'sent' });
    host.deps.advance(60_000);
    await sweepCommands(host.deps);
    expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'expired', code: 'expired' });
    await host.deliver(host.finished(id), host.keys.runner);
    expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'succeeded', code: null });
  });

  test('an expiry that the host itself reported is the end', async () => {
    const id = await host.sentCommand();
    await host.deliver(host.finished(id, { state: 'expired', code: 'expired' }), host.keys.runner);
    await host.deliver(host.finished(id), host.keys.runner);
    expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'expired' });
  });

  test('a command whose host went silent becomes unknown, and a result that comes late still counts', async () => {
    const id = await host.sentCommand();
    await host.deliver(host.accepted(id), host.keys.agent);
    host.deps.advance(((await findCommand(host.database.db, id))?.timeoutMs ?? 0) + 4 * 60_000);
    await sweepCommands(host.deps);
    expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'accepted' });
    host.deps.advance(60_000);
    await sweepCommands(host.deps);
    expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'unknown' });
    await host.deliver(host.finished(id, { state: 'failed' }), host.keys.runner);
    expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'failed' });
  });
});
