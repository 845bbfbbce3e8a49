import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RequestDeps, requestCommand, resendRequestedCommands } from '#functions/command/request.ts';
import { createToken } from '#functions/store/tokens.ts';
import { LamplighterError } from '#shared/errors.ts';
import { applyTestRunbook, DEMO_RUNBOOK } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
beforeEach(async () => {
  database = await createTestDatabase();
  deps = createTestDeps(database.db);
  const second = '  web-2:\n    address: 192.0.2.2\n';
  await applyTestRunbook(database.db, DEMO_RUNBOOK.replace(/^hosts:\n/m, `hosts:\n${second}`));
  await createToken(database.db, { name: 'alice', role: 'operator' }, deps.now);
});
afterEach(() => database.drop());

/** Commands that could not be signed when they were requested, in this order. */
async function requestUnsigned(hosts: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const host of hosts) {
    const { id } = await requestCommand(
      { ...deps, signCommand: () => Promise.reject(new Error('sign is down')) },
      {
        operation: 'host.vitals',
        params: { host },
        actor: { kind: 'token', name: 'alice', role: 'operator' },
        dryRun: false,
      },
    );
    ids.push(id);
    deps.advance(1);
  }
  deps.advance(5000);
  return ids;
}

/** A `sign` that fails in this way for some commands, and records its requests. */
function signing(failures: Record<string, Error> = {}): { asked: string[]; deps: RequestDeps } {
  const asked: string[] = [];
  const signCommand = async (id: string): Promise<void> => {
    asked.push(id);
    const failure = failures[id];
    if (failure) throw failure;
    await deps.signCommand(id);
  };
  return { asked, deps: { ...deps, clock: deps.clock, signCommand } };
}

const DOWN = new LamplighterError('unavailable', 'call sign: no answer', { retryable: true });
const REFUSED = new LamplighterError('refused', 'call sign: status 422');

test('ticks at the same time ask for each command once, in the order of its host', async () => {
  const ids = await requestUnsigned(['web-1', 'web-2', 'web-1', 'web-2', 'web-1']);
  const ticks = [signing(), signing()];
  await Promise.all(ticks.map((tick) => resendRequestedCommands(tick.deps)));
  expect(ticks.flatMap(({ asked }) => asked).toSorted()).toEqual(ids.toSorted());
  for (const { asked } of ticks) {
    for (const host of [0, 1]) {
      const ofHost = asked.filter((id) => ids.indexOf(id) % 2 === host);
      expect(ofHost).toEqual(ofHost.toSorted());
    }
  }
});

test('a command that can’t be signed now keeps back only those of its host, and all are asked for again', async () => {
  const [first = '', ofOther = '', second] = await requestUnsigned(['web-1', 'web-2', 'web-1']);
  const { asked, deps: flaky } = signing({ [first]: DOWN });
  expect(await resendRequestedCommands(flaky)).toBe(3);
  expect(asked.toSorted()).toEqual([first, ofOther].toSorted());
  const later = signing();
  expect(await resendRequestedCommands(later.deps)).toBe(0);
  deps.advance(45_000);
  expect(await resendRequestedCommands(later.deps)).toBe(2);
  expect(later.asked).toEqual([first, second]);
});

test('a command that can never be signed keeps back no other', async () => {
  const [first = '', second] = await requestUnsigned(['web-1', 'web-1']);
  const { asked, deps: refusing } = signing({ [first]: REFUSED });
  await resendRequestedCommands(refusing);
  expect(asked).toEqual([first, second]);
});
