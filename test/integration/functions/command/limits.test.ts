// How much may be asked for: per actor and per host, over all instances.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { handleApi } from '#functions/api/handler.ts';
import {
  MAX_COMMANDS_PER_ACTOR_MINUTE,
  MAX_OPEN_FOLLOWS_PER_HOST,
  MAX_OPEN_READS_PER_HOST,
} from '#functions/command/limits.ts';
import { recordReport } from '#functions/command/record-report.ts';
import { REQUESTS } from '#functions/http/request-limits.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { createToken } from '#functions/store/tokens.ts';
import { Report } from '#shared/command/report.ts';
import { CommandId } from '#shared/names.ts';
import {
  applyTestRunbook,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
let keys: HostKeys;
let listener: CommandListener;
let instances: FunctionServer[];
let token: string;
let made = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  listener = createCommandListener(database.db);
});
beforeEach(async () => {
  deps = createTestDeps(database.db);
  made += 1;
  deps.advance(made * 24 * 3_600_000);
  token = await createToken(database.db, { name: `asker-${made}`, role: 'operator' });
  instances = [await serveHandler(handleApi(deps, listener)), await serveHandler(handleApi(deps, listener))];
  return async () => {
    for (const one of instances) await one.close();
  };
});
afterAll(async () => {
  await listener.close();
  await database.drop();
});

async function ask(path: string, body: unknown, instance = 0) {
  const response = await fetch(new URL(path, instances[instance]?.url), {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${token}` },
  });
  const answer: unknown = await response.json();
  return { status: response.status, retryAfter: response.headers.get('retry-after'), answer };
}

const status = { operation: 'service.status', params: { service: 'web' } };
const restart = { operation: 'service.restart', params: { service: 'web' }, dryRun: true };

function countOf(answers: readonly { status: number }[], wanted: number): number {
  return answers.filter((answer) => answer.status === wanted).length;
}

async function end(answer: unknown): Promise<void> {
  const commandId = CommandId.parse(Object(answer).id);
  const head = { v: 1, id: crypto.randomUUID(), host: 'web-1', at: deps.now.toISOString() };
  const report = Report.parse({ ...head, type: 'command.finished', commandId, state: 'failed', steps: [] });
  await recordReport(deps, await pushedReport(report, keys.agent));
}

describe('an actor', () => {
  test('gets so many commands a minute, over all instances and at once, then 429 with a time that holds', async () => {
    const answers: Awaited<ReturnType<typeof ask>>[] = [];
    // Ten at once: a request that waits ten seconds for a connection gets 503.
    for (let left = MAX_COMMANDS_PER_ACTOR_MINUTE + 10; left > 0; left -= 10) {
      const asks = Array.from({ length: 10 }, (_, i) => ask('/v1/commands', restart, i % 2));
      answers.push(...(await Promise.all(asks)));
    }
    expect(countOf(answers, 202)).toBe(MAX_COMMANDS_PER_ACTOR_MINUTE);
    const refused = answers.filter((answer) => answer.status === 429);
    expect(refused).toHaveLength(10);
    expect(refused[0]).toMatchObject({
      retryAfter: '60',
      answer: { code: 'busy', title: 'Too Many Requests' },
    });
    deps.advance(59_000);
    expect(await ask('/v1/commands', restart)).toMatchObject({ status: 429, retryAfter: '1' });
    deps.advance(1000);
    expect(await ask('/v1/commands', restart)).toMatchObject({ status: 202 });
  });

  test('who asks again with the same key asks for nothing new', async () => {
    for (let i = 0; i < MAX_COMMANDS_PER_ACTOR_MINUTE - 1; i++) await ask('/v1/commands', restart);
    const keyed = { ...restart, idempotencyKey: 'the same key' };
    for (let i = 0; i < 5; i++) expect(await ask('/v1/commands', keyed)).toMatchObject({ status: 202 });
    expect(await ask('/v1/commands', restart)).toMatchObject({ status: 429 });
    expect(await ask('/v1/commands', keyed)).toMatchObject({ status: 202 });
  });

  test('gets so many requests of any kind', async () => {
    const get = () =>
      fetch(new URL('/v1/operations', instances[0]?.url), { headers: { authorization: `Bearer ${token}` } });
    for (let i = 0; i < REQUESTS.burst; i++) expect((await get()).status).toBe(200);
    const refused = await get();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('1');
    deps.advance(1000);
    expect((await get()).status).toBe(200);
  });
});

describe('a host', () => {
  test('has so many reads under way; one that ends or expires makes room', async () => {
    const answers = await Promise.all(
      Array.from({ length: 150 / 3 }, (_, i) => ask('/v1/commands', status, i % 2)),
    );
    expect(countOf(answers, 202)).toBe(MAX_OPEN_READS_PER_HOST);
    expect(countOf(answers, 429)).toBe(50 - MAX_OPEN_READS_PER_HOST);
    await end(answers.find((answer) => answer.status === 202)?.answer);
    expect(await ask('/v1/commands', status)).toMatchObject({ status: 202 });
    expect(await ask('/v1/commands', status)).toMatchObject({ status: 429 });
    deps.advance(61_000);
    expect(await ask('/v1/commands', status)).toMatchObject({ status: 202 });
  });

  test('is followed so often, whatever else is read', async () => {
    const follow = () => ask('/v1/live', { service: 'web' });
    const answers = [];
    for (let i = 0; i < 30; i++) answers.push(await follow());
    expect(countOf(answers, 201)).toBe(MAX_OPEN_FOLLOWS_PER_HOST);
    expect(countOf(answers, 429)).toBe(30 - MAX_OPEN_FOLLOWS_PER_HOST);
    expect(answers.at(-1)?.retryAfter).toBe('5');
    expect(await ask('/v1/commands', status)).toMatchObject({ status: 202 });
  });
});
