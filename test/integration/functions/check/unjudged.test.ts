import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeAlerts, raiseAlert } from '#functions/alert/change.ts';
import { checkUnjudged } from '#functions/check/conditions.ts';
import type { LookResult } from '#functions/check/kinds/look-result.ts';
import { patienceMs } from '#functions/check/unjudged.ts';
import { requireRunbook } from '#functions/store/runbooks.ts';
import { runTick } from '#functions/tick/tick.ts';
import { BAD, BLIND, createWorld, GOOD, NO_ROUTE, RUNBOOK, type Script, type World } from '../tick/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.drop());

async function minutes(count: number, script: Script): Promise<void> {
  world.script = script;
  for (let minute = 0; minute < count; minute++) {
    world.pass(60);
    expect((await runTick(world.deps)).failures).toEqual([]);
  }
}
const alerts = () =>
  world.rows(
    'SELECT subject, state, severity, title, resolution FROM alerts ORDER BY fired_at, subject, title',
  );

/** The event whose message was published last. */
async function lastTold(): Promise<unknown> {
  const told = await world.rows(
    'SELECT d.id, a.title, d.event FROM deliveries d JOIN alerts a ON a.id = alert_id',
  );
  const last = told.find(({ id }) => id === world.published.at(-1));
  return { title: last?.title, event: last?.event };
}

test.each([
  [10, 10],
  [60, 10],
  [200, 10],
  [201, 10.05],
  [3600, 180],
])('a check of every %d s is waited for %d min', (everyS, expectedMin) => {
  expect(patienceMs({ everyS })).toBe(expectedMin * 60_000);
});

test('a check that can’t be seen for ten minutes raises one alert, by the runbook’s rules, with its looks', async () => {
  await minutes(1, {});
  await minutes(9, { api: BLIND });
  expect(await alerts()).toEqual([]);
  await minutes(5, { api: BLIND });
  expect(await alerts()).toMatchObject([
    { subject: 'api', state: 'firing', severity: 'P1', title: 'api could not be judged' },
  ]);
  const [row] = await world.rows<{ reason: string; evidence: string[]; service: string }>(
    'SELECT reason, evidence, service FROM alerts',
  );
  expect(row).toMatchObject({ reason: expect.stringContaining('for 10 min 0 s'), service: 'web' });
  expect(row?.evidence.at(-1)).toContain(BLIND.reason);
});

test('no route for every check for long is told for each', async () => {
  await minutes(12, { api: NO_ROUTE, port: NO_ROUTE });
  expect((await alerts()).map(({ title }) => title)).toEqual([
    'api could not be judged',
    'port could not be judged',
  ]);
});

test('one good look in between starts the time anew', async () => {
  await minutes(9, { port: BLIND });
  await minutes(1, {});
  await minutes(9, { port: BLIND });
  expect(await alerts()).toEqual([]);
});

test('it ends when the check passes', async () => {
  await minutes(12, { port: BLIND });
  await minutes(1, { port: GOOD });
  expect(await alerts()).toMatchObject([
    { subject: 'port', state: 'resolved', resolution: `port is passing again: ${GOOD.reason}` },
  ]);
});

test('when the check turns out to fail, that is an alert of its own', async () => {
  await minutes(12, { port: BLIND });
  await minutes(2, { port: BAD });
  expect(await alerts()).toMatchObject([
    { title: 'port could not be judged', state: 'resolved', resolution: expect.stringContaining('failing') },
    { title: 'port is failing', state: 'firing' },
  ]);
  // It is still the same incident.
  expect(await world.rows('SELECT number, state, title FROM incidents')).toEqual([
    { number: 1, state: 'open', title: 'port is failing' },
  ]);
  expect(await lastTold()).toEqual({ title: 'port is failing', event: 'firing' });
});

test.each<[string, LookResult, object[], object]>([
  [
    'ends with the one that fails',
    BAD,
    [
      { state: 'resolved', resolution: 'port can be judged again, and is failing' },
      { title: 'port is failing' },
    ],
    { number: 1, state: 'open', title: 'port is failing' },
  ],
  [
    'ends when the check passes',
    GOOD,
    [{ state: 'resolved', resolution: `port is passing again: ${GOOD.reason}` }],
    { number: 1, state: 'resolved', title: 'nobody knows how port is' },
  ],
])(
  'an alert that was raised under another wording of its title %s',
  async (_how, result, after, incident) => {
    const { runbook } = await requireRunbook(world.db);
    const unjudged = checkUnjudged.on('web-1', { check: 'port' });
    const reworded = { ...unjudged, title: 'nobody knows how port is', reason: BLIND.reason };
    await changeAlerts(world.deps, runbook, (alerts) => raiseAlert(alerts, reworded));
    await minutes(12, { port: BLIND });
    expect(await alerts()).toMatchObject([{ state: 'firing', title: reworded.title }]);
    await minutes(1, { port: result });
    expect(await alerts()).toMatchObject(after);
    expect(await world.rows('SELECT number, state, title FROM incidents')).toEqual([incident]);
  },
);

test('a failure that is known stays what it is while nobody can look, which is its latest reason', async () => {
  await minutes(1, { api: BAD });
  await minutes(15, { api: BLIND });
  expect(await alerts()).toMatchObject([{ title: 'api is failing', state: 'firing' }]);
  const latest = () => world.rows('SELECT latest_reason AS latest FROM alerts');
  expect(await latest()).toEqual([
    { latest: expect.stringMatching(/^no look at it has given a verdict for 10 min/) },
  ]);
  await minutes(1, { api: BAD });
  expect(await latest()).toEqual([{ latest: null }]);
});

test('a check that runs never get to is told, one whose runs end halfway too', async () => {
  await minutes(1, {});
  const ticks = { ...world.deps, look: () => Promise.reject(new Error('the look broke')) };
  for (let minute = 0; minute < 12; minute++) {
    world.pass(60);
    await runTick(ticks);
  }
  expect(await alerts()).toHaveLength(2);
});

test('after a gap of the watcher itself, or a new runbook, the time begins anew', async () => {
  await minutes(9, { port: BLIND });
  world.pass(3600);
  await minutes(9, { port: BLIND });
  expect(await alerts()).toEqual([]);
  await world.apply(RUNBOOK.replace('test platform', 'the same, renamed'));
  await minutes(9, { port: BLIND });
  expect(await alerts()).toEqual([]);
  await minutes(2, { port: BLIND });
  expect(await alerts()).toHaveLength(1);
});

test('ticks at the same time raise it once', async () => {
  await minutes(9, { port: BLIND });
  world.pass(60);
  await Promise.all([runTick(world.deps), runTick(world.deps)]);
  world.pass(60);
  await Promise.all([runTick(world.deps), runTick(world.deps), runTick(world.deps)]);
  expect(await alerts()).toHaveLength(1);
});
