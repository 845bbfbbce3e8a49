import { describe, expect, test } from 'vitest';
import { recordReport } from '#functions/command/record-report.ts';
import { runReportEffect } from '#functions/command/report-handler.ts';
import { listAudit } from '#functions/store/audit.ts';
import { findBackupsById } from '#functions/store/backups.ts';
import { findCommand } from '#functions/store/commands.ts';
import type { FinishedReport } from '#shared/command/report.ts';
import { pushedReport } from '#test/fixtures/control-plane.ts';
import { useReportingHost } from '#test/fixtures/reporting-host.ts';

const host = useReportingHost();

describe('a result', () => {
  const unit = {
    unit: 'app-web.service',
    loadState: 'loaded',
    activeState: 'active',
    subState: 'running',
    mainPid: 7,
    restarts: 0,
    activeSince: null,
    memoryBytes: null,
  };
  const resultAudits = async (id: string) =>
    (await listAudit(host.database.db, { action: 'result.refused', limit: 500 })).filter(
      ({ target }) => target === id,
    );

  test("that is the operation's is kept, without fields that are new to us", async () => {
    const id = await host.sentCommand();
    const result = { unit: { ...unit, cpuPercent: 3 }, healthy: true, warmedUp: [1] };
    await host.deliver(host.finished(id, { result }), host.keys.runner);
    expect(await findCommand(host.database.db, id)).toMatchObject({
      state: 'succeeded',
      result: { unit, healthy: true },
      message: null,
    });
    expect((await findCommand(host.database.db, id))?.result).toEqual({ unit, healthy: true });
    expect(await resultAudits(id)).toEqual([]);
  });

  const plan = [{ step: 'restart', does: 'systemctl restart app-web.service' }];
  const refused: [string, Partial<FinishedReport>, boolean, string][] = [
    ['of another form', { result: { unit, healthy: 'secret' } }, false, 'healthy:'],
    ['that is none', { result: 'secret' }, false, 'it must be a mapping'],
    ['of a failure, of another form', { state: 'failed', result: { secret: 1 } }, false, 'unit:'],
    ["of a dry run that is the operation's", { result: { unit, healthy: true } }, true, 'plan:'],
  ];
  test.each(refused)('%s is left out and said; the end counts', async (_name, change, dryRun, fault) => {
    const id = await host.sentCommand('restart', dryRun);
    const report = host.finished(id, { message: 'as it ended', ...change });
    await host.deliver(report, host.keys.runner);
    const command = await findCommand(host.database.db, id);
    expect(command).toMatchObject({
      state: report.type === 'command.finished' && report.state,
      result: null,
    });
    expect(command?.message).toContain(
      'as it ended; its result does not match the operation and is left out: ',
    );
    expect(command?.message).toContain(fault);
    const [entry, ...others] = await resultAudits(id);
    expect(entry).toMatchObject({ actor: 'host:web-1', detail: { reportId: report.id } });
    expect(others).toEqual([]);
    expect(JSON.stringify([command, entry])).not.toContain('secret');
  });

  test('that is left out is written down once, however often it comes', async () => {
    const id = await host.sentCommand();
    const report = host.finished(id, { result: 7 });
    await host.deliver(report, host.keys.runner);
    expect(await host.deliver(report, host.keys.runner)).toBe('known');
    expect(await resultAudits(id)).toHaveLength(1);
  });

  test('of a backup, with a field that is new to us, makes the backup known', async () => {
    const id = await host.sentCommand('backup');
    const backupId = '20261123T020000Z-1f3a9d';
    const summary = { backupId, database: 'analytics', bytes: 1, tables: 1, rows: 1, durationMs: 1 };
    const result = { ...summary, manifestObject: 'manifest.json', sequences: 4 };
    const { report } = await recordReport(
      host.deps,
      await pushedReport(host.finished(id, { result }), host.keys.runner),
    );
    if (report) await runReportEffect(host.deps, report);
    expect(await findBackupsById(host.database.db, backupId)).toMatchObject([{ database: 'analytics' }]);
  });

  test('of a dry run is its plan', async () => {
    const id = await host.sentCommand('restart', true);
    await host.deliver(host.finished(id, { result: { plan } }), host.keys.runner);
    expect(await findCommand(host.database.db, id)).toMatchObject({ result: { plan }, message: null });
  });

  test('of a dry run of a read is what was read', async () => {
    const id = await host.sentCommand('status', true);
    await host.deliver(host.finished(id, { result: { unit } }), host.keys.agent);
    expect(await findCommand(host.database.db, id)).toMatchObject({ result: { unit }, message: null });
  });
});
