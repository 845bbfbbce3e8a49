import { describe, expect, test } from 'vitest';
import { listAudit } from '#functions/store/audit.ts';
import { MAX_REFUSED_EVENTS } from '#functions/store/command-events.ts';
import { findCommand } from '#functions/store/commands.ts';
import { Report } from '#shared/command/report.ts';
import { useReportingHost } from '#test/fixtures/reporting-host.ts';

const host = useReportingHost();

describe('an envelope that a host refused', () => {
  const refused = (commandId?: string) =>
    Report.parse({
      ...host.head(),
      type: 'envelope.refused',
      reason: 'id-reused',
      detail: 'it ran before',
      messageId: '17',
      ...(commandId === undefined ? {} : { commandId }),
    });

  test('is told in the trail once and beside the command, whose state stays', async () => {
    const id = await host.sentCommand();
    const report = refused(id);
    expect(await host.deliver(report, host.keys.agent)).toBe('recorded');
    expect(await host.deliver(report, host.keys.agent)).toBe('known');
    expect(await findCommand(host.database.db, id)).toMatchObject({ state: 'sent' });
    expect(await host.eventsOf(id)).toEqual(['requested', 'sent', 'refused']);
    expect(
      await listAudit(host.database.db, { action: 'envelope.refused', target: id, limit: 5 }),
    ).toHaveLength(1);
  });

  test('without a command is told in the trail', async () => {
    expect(await host.deliver(refused(), host.keys.agent)).toBe('recorded');
    const [entry] = await listAudit(host.database.db, { action: 'envelope.refused', limit: 1 });
    expect(entry).toMatchObject({ target: 'web-1', detail: { reason: 'id-reused' } });
  });

  test('that comes again and again stands beside the command a bounded number of times', async () => {
    host.deps.advance(3_600_000);
    const id = await host.sentCommand();
    const refusedEvents = async () => (await host.eventsOf(id)).filter((kind) => kind === 'refused').length;
    for (let i = 0; i < 30; i++) await host.deliver(refused(id), host.keys.agent);
    expect(await refusedEvents()).toBe(MAX_REFUSED_EVENTS);
    host.deps.advance(60_000);
    await host.deliver(refused(id), host.keys.agent);
    expect(await refusedEvents()).toBe(MAX_REFUSED_EVENTS);
  });

  test('that is only counted is not told beside the command', async () => {
    const [flooded, other] = [await host.sentCommand(), await host.sentCommand()];
    host.deps.advance(7_200_000);
    for (let i = 0; i < 30; i++) await host.deliver(refused(flooded), host.keys.agent);
    expect(await host.deliver(refused(other), host.keys.agent)).toBe('recorded');
    expect(await host.eventsOf(other)).not.toContain('refused');
  });
});
