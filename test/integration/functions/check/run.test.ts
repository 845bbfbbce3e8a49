import { afterEach, beforeEach, expect, test } from 'vitest';
import { runDueChecks } from '#functions/check/run.ts';
import { runChecksNow } from '#functions/check/run-now.ts';
import { listCheckViews } from '#functions/check/view.ts';
import { findRunbook } from '#functions/store/runbooks.ts';
import { createBudget } from '#shared/kit/deadline.ts';
import { BAD, BLIND, createWorld, GOOD, NO_ROUTE, type Script, type World } from '../tick/world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.drop());

async function run(script: Script = {}, budgetMs = 45_000): Promise<string[]> {
  world.script = script;
  const current = await findRunbook(world.db);
  const budget = createBudget(budgetMs, () => world.now().getTime());
  return await runDueChecks(world.deps, current!.runbook, { budget });
}
const alerts = () =>
  world.rows('SELECT kind, subject, state, severity, reason FROM alerts ORDER BY fired_at, subject');
const view = async (name: string) =>
  (await listCheckViews(world.db, world.now())).find((check) => check.name === name);

test('a good first result makes a check pass at once', async () => {
  expect(await run()).toEqual(['api', 'port']);
  expect(world.looks).toBe(2);
  expect(await view('api')).toMatchObject({ state: 'passing', latencyMs: 3, detail: GOOD.reason });
  expect(await alerts()).toEqual([]);
});

test('a failure is confirmed within the same run, with every attempt kept', async () => {
  await run({ api: BAD });
  expect(world.looks).toBe(3 + 1);
  expect(await view('api')).toMatchObject({ state: 'failing', detail: BAD.reason });
  expect(await alerts()).toEqual([
    { kind: 'check', subject: 'api', state: 'firing', severity: 'P1', reason: BAD.reason },
  ]);
  const results = await world.rows(`SELECT verdict, reason FROM check_results WHERE check_name = 'api'`);
  expect(results).toEqual(Array(3).fill({ verdict: 'bad', reason: BAD.reason }));
});

/** The host's last word on the unit of the service that the check `api` is about. */
async function tellUnit(lastExit: object | undefined): Promise<void> {
  const unit = { unit: 'app-web.service', loadState: 'loaded', activeState: 'failed', subState: 'failed' };
  const counts = { mainPid: 0, restarts: 0, activeSince: null, memoryBytes: null, result: 'signal' };
  const units = [{ ...unit, ...counts, ...(lastExit === undefined ? {} : { lastExit }) }];
  await world.enrol();
  await world.hear();
  await world.rows('UPDATE host_state SET vitals = $1', [JSON.stringify({ units })]);
}

test.each<[string, number | undefined, string]>([
  ['just now', 7, '; app-web.service was killed, signal 9, 7 s before'],
  ['long ago', 3600, ''],
  ['never', undefined, ''],
])('an alert names what the agent knows of a unit that ended %s', async (_name, agoS, cause) => {
  const at = new Date(world.now().getTime() - (agoS ?? 0) * 1000).toISOString();
  await tellUnit(agoS === undefined ? undefined : { how: 'killed', status: 9, at });
  await run({ api: BAD });
  expect(await alerts()).toMatchObject([{ subject: 'api', reason: `${BAD.reason}${cause}` }]);
});

test('one good look among the re-checks is no failure', async () => {
  await run({ api: [BAD, BAD, GOOD] });
  expect(await view('api')).toMatchObject({ state: 'passing' });
  expect(await alerts()).toEqual([]);
});

test('a recovery needs its threshold, and a relapse in between keeps the alert', async () => {
  await run({ api: BAD });
  world.pass(60);
  await run({ api: [GOOD, BAD] });
  expect(await view('api')).toMatchObject({ state: 'failing' });
  world.pass(60);
  await run({ api: GOOD });
  expect(await view('api')).toMatchObject({ state: 'passing' });
  expect(await alerts()).toMatchObject([{ subject: 'api', state: 'resolved' }]);
});

test('a check runs when it is due and not before', async () => {
  await run();
  world.pass(30);
  expect(await run()).toEqual([]);
  world.pass(29);
  expect(await run()).toEqual(['api', 'port']);
});

test('two runs at the same time split the checks and look at each once', async () => {
  const ran = await Promise.all([run(), run(), run()]);
  expect(ran.flat().toSorted()).toEqual(['api', 'port']);
  expect(world.looks).toBe(2);
});

test('two runs in the same second raise one alert', async () => {
  await run({ api: BAD, port: BAD });
  await run({ api: BAD, port: BAD });
  expect(await alerts()).toHaveLength(2);
});

test('a blind watcher makes a check unknown, never good, and leaves its alert firing', async () => {
  await run({ api: BAD });
  const failedAt = (await view('api'))?.since;
  world.pass(60);
  const blindAt = world.now().toISOString();
  for (const _look of [1, 2]) {
    await run({ api: BLIND });
    expect(await view('api')).toMatchObject({ state: 'unknown', since: blindAt, detail: BLIND.reason });
    expect(await alerts()).toMatchObject([{ state: 'firing' }]);
    world.pass(60);
  }
  await run({ api: BAD });
  expect(await view('api')).toMatchObject({ state: 'failing', since: failedAt });
  world.pass(60);
  await run({ api: GOOD });
  expect(await alerts()).toMatchObject([{ state: 'resolved' }]);
});

test('no route for every check is the watcher’s own blindness', async () => {
  await run({ api: NO_ROUTE, port: NO_ROUTE });
  expect(await view('api')).toMatchObject({ state: 'unknown' });
  expect(await alerts()).toEqual([]);
});

test('no route for one check while another gets through is a failure', async () => {
  await run({ api: NO_ROUTE, port: GOOD });
  expect(await view('api')).toMatchObject({ state: 'failing' });
});

test('a confirmation that the run had no time for goes on in the next', async () => {
  await run({ api: BAD }, 5050); // enough for one look of at most 5 s, not for a second
  expect(world.looks).toBe(2);
  expect(await view('api')).toMatchObject({ state: 'unknown' });
  world.pass(60);
  await run({ api: BAD }, 5050);
  world.pass(60);
  expect(await alerts()).toEqual([]);
  await run({ api: BAD }, 5050);
  expect(await alerts()).toMatchObject([{ subject: 'api', state: 'firing' }]);
});

test('a check without time left is given back and stays due', async () => {
  await run();
  world.pass(60);
  expect(await run({}, 0)).toEqual([]);
  expect((await view('api'))?.lastRunAt).not.toBeNull();
  expect(await run()).toEqual(['api', 'port']);
});

test('a run that was killed leaves its checks to the next once the lease has ended', async () => {
  const stuck = new Promise<never>(() => undefined);
  const current = await findRunbook(world.db);
  void runDueChecks({ ...world.deps, look: () => stuck }, current!.runbook, {
    budget: createBudget(45_000),
  });
  await expect
    .poll(async () => (await world.rows('SELECT 1 FROM check_states WHERE lease_holder IS NOT NULL')).length)
    .toBe(2);
  world.pass(30);
  expect(await run()).toEqual([]);
  world.pass(31);
  expect(await run()).toEqual(['api', 'port']);
});

test('results of a run that lost its lease are dropped', async () => {
  let finish: (() => void) | undefined;
  const current = await findRunbook(world.db);
  const late = runDueChecks(
    { ...world.deps, look: () => new Promise((resolve) => (finish = () => resolve(BLIND))) },
    { ...current!.runbook, checks: { port: current!.runbook.checks.port! } },
    { budget: createBudget(45_000) },
  );
  await expect.poll(() => finish).toBeDefined();
  world.pass(61);
  await run();
  finish?.();
  await late;
  expect(await view('port')).toMatchObject({ state: 'passing' });
  expect(await world.rows(`SELECT verdict FROM check_results WHERE check_name = 'port'`)).toEqual([
    { verdict: 'good' },
  ]);
});

test('a check that moved to another host begins anew', async () => {
  await run({ api: BAD });
  const moved = `
version: 1
name: moved
hosts: { web-1: { address: 192.0.2.1 }, web-2: { address: 192.0.2.2 } }
checks:
  api: { host: web-2, http: { url: "http://{address}/api" } }
`;
  await world.apply(moved);
  expect(await view('api')).toMatchObject({ state: 'unknown', host: 'web-2' });
  await run();
  expect(await view('api')).toMatchObject({ state: 'passing', host: 'web-2' });
});

test('a state that nobody has looked at for long is unknown', async () => {
  await run();
  world.pass(301);
  expect(await view('api')).toMatchObject({
    state: 'unknown',
    detail: 'no result since 2026-11-23T09:00:00.000Z',
  });
});

test('run now looks at every check, due or not, and answers with the states', async () => {
  await run();
  world.pass(1);
  world.script = { api: BAD };
  const views = await runChecksNow(world.deps);
  expect(views.map(({ name, state }) => [name, state])).toEqual([
    ['api', 'failing'],
    ['port', 'passing'],
  ]);
});

test('run now waits for a run that holds a check', async () => {
  const current = await findRunbook(world.db);
  let release: (() => void) | undefined;
  const holding = runDueChecks(
    { ...world.deps, look: () => new Promise((resolve) => (release = () => resolve(GOOD))) },
    { ...current!.runbook, checks: { port: current!.runbook.checks.port! } },
    { budget: createBudget(45_000) },
  );
  await expect.poll(() => release).toBeDefined();
  world.pass(1);
  world.script = { port: BAD };
  const asked = runChecksNow({
    ...world.deps,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms / 10)),
  });
  release?.();
  await holding;
  expect((await asked).find(({ name }) => name === 'port')).toMatchObject({ state: 'failing' });
});
