import { afterEach, beforeEach, expect, test } from 'vitest';
import { alertCorruptBackup } from '#functions/backup/watch.ts';
import { requireRunbook } from '#functions/store/runbooks.ts';
import { runTick } from '#functions/tick/tick.ts';
import { BAD, createWorld, GOOD, RUNBOOK, WITH_BACKUP, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld(WITH_BACKUP);
  await world.enrol();
});
afterEach(() => world.drop());

async function tick(): Promise<void> {
  const { failures } = await runTick(world.deps);
  expect(failures).toEqual([]);
}
/** Ticks every minute, with a heartbeat before each. */
async function minutes(count: number): Promise<void> {
  for (let minute = 0; minute < count; minute++) {
    world.pass(60);
    await world.hear();
    await tick();
  }
}
const alerts = (kind: string) =>
  world.rows(
    `SELECT state, severity, title, reason, resolution FROM alerts WHERE kind = $1 ORDER BY fired_at`,
    [kind],
  );
const runs = () =>
  world.rows<{ scheduled_for: Date; outcome: string | null; command_id: string | null }>(
    'SELECT scheduled_for, outcome, command_id FROM schedule_runs ORDER BY scheduled_for',
  );
const commands = () =>
  world.rows(`SELECT operation, actor_kind, actor_name FROM commands WHERE operation <> 'alert.append'`);

test('a tick before any runbook does nothing and is fine', async () => {
  await world.rows('DELETE FROM runbook_versions');
  await tick();
  expect(world.looks).toBe(0);
});

test('a part that fails is told, and the others are done', async () => {
  const broken = { ...world.deps, latestProvenBackup: () => Promise.reject(new Error('no bucket')) };
  const { did, failures } = await runTick(broken);
  expect(failures.map(({ part }) => part)).toEqual(['backups']);
  expect(did.checks).toEqual(['api', 'port']);
  expect(did.deleted).toBe(0);
});

test('a silent host raises one alert after its time, and its next word ends it', async () => {
  await world.hear();
  await tick();
  world.pass(60);
  await tick();
  expect(await alerts('heartbeat')).toEqual([]);
  world.pass(60);
  await Promise.all([tick(), tick()]);
  await tick();
  expect(await alerts('heartbeat')).toMatchObject([
    { state: 'firing', severity: 'P2', reason: 'no heartbeat for 2 min 0 s, allowed 90 s' },
  ]);
  await world.hear();
  await tick();
  expect(await alerts('heartbeat')).toMatchObject([
    { state: 'resolved', resolution: 'agent is heard again' },
  ]);
});

test('an enrolled host that never spoke raises an alert too', async () => {
  await tick();
  world.pass(89);
  await tick();
  expect(await alerts('heartbeat')).toEqual([]);
  world.pass(2);
  await tick();
  expect(await alerts('heartbeat')).toMatchObject([{ reason: 'no heartbeat ever, enrolled 1 min 31 s ago' }]);
});

test('after a gap of the watcher itself a host first gets its time to speak', async () => {
  await world.hear();
  await tick();
  world.pass(8 * 3600);
  await tick();
  expect(await alerts('heartbeat')).toEqual([]);
  world.pass(60);
  await tick();
  world.pass(60);
  await tick();
  expect(await alerts('heartbeat')).toMatchObject([{ state: 'firing' }]);
});

test('a scheduled job starts once at its time, however many ticks come', async () => {
  world.setTime('2026-11-24T01:59:30Z');
  await world.hear();
  await tick();
  expect(await runs()).toEqual([]);
  world.pass(40);
  await Promise.all([tick(), tick(), tick()]);
  await tick();
  expect(await runs()).toMatchObject([{ scheduled_for: new Date('2026-11-24T02:00:00Z'), outcome: null }]);
  expect(await commands()).toEqual([
    { operation: 'backup.run', actor_kind: 'schedule', actor_name: 'backup' },
  ]);
});

test('a missed time is caught up once after a gap, and a very old one not', async () => {
  world.setTime('2026-11-27T13:00:00Z');
  await tick();
  await tick();
  expect(await runs()).toMatchObject([{ scheduled_for: new Date('2026-11-27T02:00:00Z') }]);
});

test('a changed schedule does not run for a time before it was applied', async () => {
  world.setTime('2026-11-24T02:00:10Z');
  await tick();
  world.setTime('2026-11-24T12:00:00Z');
  await world.apply(WITH_BACKUP.replace('0 2 * * *', '0 3 * * *'));
  await tick();
  expect(await runs()).toHaveLength(1);
  world.setTime('2026-11-25T03:00:10Z');
  await tick();
  expect((await runs()).map(({ scheduled_for }) => scheduled_for.toISOString())).toEqual([
    '2026-11-24T02:00:00.000Z',
    '2026-11-25T03:00:00.000Z',
  ]);
});

test('a runbook that was applied again with the same schedule does not lose a missed time', async () => {
  world.setTime('2026-11-24T02:00:10Z');
  await tick();
  world.setTime('2026-11-25T02:00:05Z');
  await world.apply(`${WITH_BACKUP}\n# changed elsewhere\n`);
  await tick();
  expect(await runs()).toHaveLength(2);
});

test('a tick that was killed between taking a time and asking leaves it to a later one, as one command', async () => {
  world.setTime('2026-11-24T02:00:10Z');
  await world.rows(
    `INSERT INTO schedule_runs (job, scheduled_for, schedule, host, started_at, leased_until)
     VALUES ('backup', '2026-11-24T02:00:00Z', '0 2 * * * Europe/London', 'web-1', $1, $2)`,
    [world.now(), new Date(world.now().getTime() + 60_000)],
  );
  await tick();
  expect(await commands()).toEqual([]);
  world.pass(61);
  await Promise.all([tick(), tick()]);
  expect(await commands()).toHaveLength(1);
  expect((await runs())[0]?.command_id).not.toBeNull();
});

test('a scheduled command that fails raises an alert, and the next success ends it', async () => {
  world.setTime('2026-11-24T02:00:10Z');
  await tick();
  const id = (await runs())[0]?.command_id;
  await world.rows(
    `UPDATE commands SET state = 'failed', code = 'step-failed', message = 'disk full' WHERE id = $1`,
    [id],
  );
  await tick();
  await tick();
  expect(await alerts('command')).toMatchObject([
    { state: 'firing', severity: 'P3', title: 'scheduled backup did not succeed' },
  ]);
  expect(String((await alerts('command'))[0]?.reason)).toContain('failed (step-failed: disk full)');
  world.setTime('2026-11-25T02:00:10Z');
  await tick();
  await world.rows(`UPDATE commands SET state = 'succeeded' WHERE id = $1`, [(await runs())[1]?.command_id]);
  await tick();
  expect(await alerts('command')).toMatchObject([{ state: 'resolved' }]);
});

test('an end that is replaced is the outcome of its scheduled run, and settles its alert', async () => {
  await world.hear();
  world.setTime('2026-11-24T02:00:30Z');
  await tick();
  const endAs = (state: string) =>
    world.rows(`UPDATE commands SET state = $1 WHERE operation = 'backup.run'`, [state]);
  // As an agent in other hands says it; then the runner's signed end.
  await endAs('rejected');
  await minutes(1);
  expect(await runs()).toMatchObject([{ outcome: 'rejected' }]);
  expect(await alerts('command')).toMatchObject([{ state: 'firing' }]);
  await endAs('succeeded');
  await minutes(2);
  expect(await runs()).toMatchObject([{ outcome: 'succeeded' }]);
  expect(await alerts('command')).toMatchObject([{ state: 'resolved' }]);
});

test('the late end of an older run says nothing about how the job is doing', async () => {
  await world.hear();
  const ids: string[] = [];
  for (const day of [24, 25]) {
    world.setTime(`2026-11-${day}T02:00:30Z`);
    await tick();
    ids.push((await runs()).at(-1)?.command_id ?? '');
  }
  const endAs = async (id: string | undefined, state: string) => {
    await world.rows('UPDATE commands SET state = $1 WHERE id = $2', [state, id]);
    await minutes(1);
  };
  await endAs(ids[0], 'unknown');
  await endAs(ids[1], 'failed');
  expect(await alerts('command')).toMatchObject([{ state: 'firing' }]);
  await endAs(ids[0], 'succeeded');
  expect((await runs()).map(({ outcome }) => outcome)).toEqual(['succeeded', 'failed']);
  expect(await alerts('command')).toMatchObject([{ state: 'firing' }]);
});

test('no fresh verified backup raises an alert, but not in the first hours', async () => {
  await tick();
  world.pass(26 * 3600);
  await tick();
  expect(await alerts('backup')).toEqual([]);
  world.pass(60);
  await tick();
  await tick();
  expect(await alerts('backup')).toMatchObject([
    { state: 'firing', reason: 'the newest verified backup does not exist, allowed 26 h' },
  ]);
  world.latestVerified = world.now();
  await tick();
  expect(await alerts('backup')).toMatchObject([{ state: 'resolved' }]);
  world.pass(27 * 3600);
  await tick();
  expect((await alerts('backup'))[1]).toMatchObject({
    reason: 'the newest verified backup is 1 d 3 h old, allowed 26 h',
  });
});

test('an intact backup is fresh only where the runbook wants dumps encrypted', async () => {
  world.pass(27 * 3600);
  world.latestIntact = world.now();
  await tick();
  expect(await alerts('backup')).toMatchObject([{ reason: expect.stringMatching(/^the newest verified/) }]);
  await world.apply(WITH_BACKUP.replace('maxAgeHours: 26 }', 'maxAgeHours: 26, encryptDump: true }'));
  await tick();
  expect(await alerts('backup')).toMatchObject([
    {
      state: 'resolved',
      resolution: expect.stringMatching(/^backup is fresh again: taken .* and found intact \(encrypted/),
    },
  ]);
  world.pass(27 * 3600);
  await tick();
  expect((await alerts('backup'))[1]).toMatchObject({
    reason: 'the newest backup that was proven is 1 d 3 h old, allowed 26 h',
  });
});

test('a corrupt backup raises an alert that only a later proven one ends', async () => {
  world.latestVerified = world.now();
  await tick();
  world.pass(60);
  const { runbook } = await requireRunbook(world.db);
  const corrupt = {
    host: 'web-1',
    backupId: '20261123T020000Z-1f3a9c',
    faults: ['part 2: checksum differs'],
  };
  await Promise.all([1, 2].map(() => alertCorruptBackup(world.deps, corrupt, runbook)));
  await tick();
  expect(await alerts('backup')).toMatchObject([{ state: 'firing', reason: 'part 2: checksum differs' }]);
  world.pass(60);
  world.latestVerified = world.now();
  await tick();
  expect(await alerts('backup')).toMatchObject([{ state: 'resolved' }]);
});

test('each corrupt backup has an alert of its own, five at most, and a later proven one ends them all', async () => {
  world.latestVerified = world.now();
  await tick();
  const { runbook } = await requireRunbook(world.db);
  for (const backupId of ['a', 'b', 'c', 'd', 'e', 'f', 'a'])
    await alertCorruptBackup(
      world.deps,
      { host: 'web-1', backupId, faults: [`${backupId} differs`] },
      runbook,
    );
  const limit = '; 5 alerts of this kind fire now, so further ones are not sent until these have ended';
  const told = ['a differs', 'b differs', 'c differs', 'd differs', `e differs${limit}`];
  const raised = await world.rows<{ reason: string; state: string }>(
    `SELECT reason, state FROM alerts WHERE kind = 'backup' ORDER BY reason`,
  );
  expect(raised).toEqual(told.map((reason) => ({ reason, state: 'firing' })));
  expect(await world.rows(`SELECT number FROM incidents`)).toHaveLength(1);
  world.pass(60);
  world.latestVerified = world.now();
  await tick();
  expect(new Set((await alerts('backup')).map(({ state }) => state))).toEqual(new Set(['resolved']));
});

test('a change whose messages could not be published is published by the next tick, each once', async () => {
  await minutes(1);
  world.publishing = 'fails';
  world.script = { api: BAD };
  await minutes(1);
  expect(world.published).toEqual([]);
  const pending = await world.rows<{ id: string }>(`SELECT id FROM deliveries WHERE state = 'pending'`);
  expect(pending).toHaveLength(2);
  world.publishing = 'works';
  await minutes(1);
  await minutes(1);
  expect(world.published.toSorted()).toEqual(pending.map(({ id }) => id).toSorted());
});

test('a delivery that is still pending long after its message gets another one', async () => {
  await minutes(1);
  world.script = { api: BAD };
  await minutes(1);
  expect(world.published).toHaveLength(2);
  await minutes(14);
  expect(world.published).toHaveLength(2);
  await minutes(3);
  expect(world.published).toHaveLength(4);
});

test('a command that could not be signed is asked for again', async () => {
  world.signing = 'fails';
  world.setTime('2026-11-24T02:00:10Z');
  await tick();
  world.signing = 'works';
  world.pass(60);
  await tick();
  expect(world.signed).toEqual([(await runs())[0]?.command_id]);
});

test('alerts about what the runbook no longer has are ended', async () => {
  world.script = { api: BAD };
  await tick();
  await world.apply(`
version: 1
name: smaller
hosts: { web-1: { address: 192.0.2.1 } }
`);
  await tick();
  expect(await alerts('check')).toMatchObject([{ state: 'resolved' }]);
});

test('results are kept for two weeks', async () => {
  await tick();
  world.setTime('2026-12-08T09:00:00Z');
  await world.apply(RUNBOOK);
  world.script = { api: GOOD };
  await tick();
  const kept = await world.rows<{ at: Date }>('SELECT at FROM check_results');
  expect(kept.map(({ at }) => at.toISOString())).toEqual(Array(2).fill('2026-12-08T09:00:00.000Z'));
});

test('a verification that was lost is asked for again', async () => {
  const id = '20261123T085900Z-1f3a9c';
  await world.rows(
    `INSERT INTO backups (host, id, database, started_at, finished_at, bytes, tables, rows, next_publish_at)
     VALUES ('web-1', $1, 'analytics', $2, $2, 1, 1, 1, $2::timestamptz + interval '30 minutes')`,
    [id, world.now()],
  );
  await minutes(31);
  expect(world.verifications).toEqual([id]);
});
