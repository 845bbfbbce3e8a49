import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CommandDetail } from '#shared/api/views.ts';
import { backup, COMMAND_ID, command, EVENTS, NOW, running } from './samples.ts';
import { lamp, problem, type ScriptedApi, startScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  api = await startScriptedApi();
});
afterEach(() => api.close());

const LOOK = `GET /v1/commands/${COMMAND_ID}`;

/** The command is taken, and each look at it gets the next answer; the last one stays. */
function willRun(...looks: (object | 'drop')[]): void {
  api.on('POST /v1/commands', () => ({ status: 202, body: { id: COMMAND_ID, host: 'vm-1' } }));
  let look = 0;
  api.on(LOOK, () => {
    const next = looks[Math.min(look, looks.length - 1)];
    look += 1;
    return next === 'drop' || next === undefined ? 'drop' : { body: next };
  });
}

function posted(): Record<string, unknown> {
  return JSON.parse(api.asked.find(({ method }) => method === 'POST')?.body ?? '{}');
}

describe('a verb that is short for an operation', () => {
  test('asks for it, shows the steps as they happen, and says how it ended', async () => {
    willRun(
      { command: running(), events: EVENTS.slice(0, 3), contact: null },
      { command: command(), events: EVENTS.slice(3), contact: null },
    );
    const nowMs = Date.parse(NOW);
    const { code, out, err } = await lamp(['restart', 'web'], { url: api.url, nowMs });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(posted()).toMatchObject({
      operation: 'service.restart',
      params: { service: 'web' },
      dryRun: false,
      idempotencyKey: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(out).toBe(
      [
        'service.restart service=web on vm-1  0000c0de',
        '      0.1 s  sent to vm-1',
        '      0.3 s  accepted by vm-1',
        '      0.6 s  restart app-web.service',
        '      0.8 s  ✓ restart app-web.service',
        '      1.0 s  wait until healthy',
        '      1.2 s  ✓ wait until healthy',
        'done in 2.4 s',
        'SERVICE  STATE             SINCE    RESTARTS  HOST  UNIT',
        'web      active (running)  9 s ago         0  vm-1  app-web.service',
        'healthy  main process 4321  memory 41.2 MB',
        '',
      ].join('\n'),
    );
    const looks = api.asked.filter(({ method }) => method === 'GET');
    expect(looks.map(({ query }) => query.get('after'))).toEqual(['0', '3']);
  });

  test('exits with 1 when the operation failed, with the last output', async () => {
    const failed = command({
      state: 'failed',
      code: 'unhealthy',
      message: 'app-web.service does not answer',
      result: null,
      output: ['listening', '\u001b[31mboom\u001b[0m'],
    });
    willRun({ command: failed, events: [], contact: null });
    const { code, out } = await lamp(['restart', 'web'], { url: api.url });
    expect(code).toBe(1);
    expect(out).toContain('failed in 2.4 s (unhealthy): app-web.service does not answer\n');
    expect(out).toContain('  listening\n  \\x1b[31mboom\\x1b[0m\n');
    expect(out).not.toContain('\u001b');
  });

  test.each([
    ['timed-out', 'timed-out', 1],
    ['expired', 'expired', 1],
    ['unknown', null, 1],
    ['failed', 'unknown-unit', 1],
    ['rejected', 'busy', 1],
    ['rejected', 'invalid-params', 1],
    ['rejected', 'not-in-policy', 3],
    ['rejected', 'unknown-unit', 3],
    // The control plane did not sign it.
    ['rejected', null, 3],
  ])('%s (%s) exits with %i', async (state, code, exit) => {
    willRun({ command: command({ state, code, result: null }), events: [], contact: null });
    expect((await lamp(['restart', 'web'], { url: api.url })).code).toBe(exit);
  });

  test('says what to do next, last', async () => {
    const hint = 'Add restart under "units:" in /etc/lamplighter/policy.yaml.';
    const refused = command({ state: 'rejected', code: 'not-in-policy', message: 'no', hint, result: null });
    willRun({ command: refused, events: [], contact: null });
    const { out } = await lamp(['restart', 'web'], { url: api.url });
    expect(out.trimEnd().split('\n').at(-1)).toBe(`hint: ${hint}`);
    const { out: json } = await lamp(['restart', 'web', '--json'], { url: api.url });
    expect(JSON.parse(json).command).toMatchObject({ code: 'not-in-policy', message: 'no', hint });
  });

  test('prints the message of a command that succeeded', async () => {
    willRun({ command: command({ message: 'ANALYZE was skipped' }), events: [], contact: null });
    const { out } = await lamp(['restart', 'web'], { url: api.url });
    expect(out).toContain('done in 2.4 s: ANALYZE was skipped\n');
  });

  test('--json gives one document: the command with all its events', async () => {
    willRun(
      { command: running(), events: EVENTS.slice(0, 3), contact: null },
      { command: command(), events: EVENTS.slice(3), contact: null },
    );
    const { out } = await lamp(['restart', 'web', '--json'], { url: api.url });
    expect(CommandDetail.parse(JSON.parse(out)).events).toEqual(EVENTS);
  });

  test('--detach does not wait', async () => {
    willRun({ command: running(), events: [], contact: null });
    const { code, out } = await lamp(['restart', 'web', '--detach'], { url: api.url });
    expect(code).toBe(0);
    expect(out).toContain('lamp commands 0000c0de --wait');
    expect(api.asked).toHaveLength(2);
  });

  test('--detach has asked, even when nothing answers afterwards', async () => {
    willRun('drop');
    expect((await lamp(['restart', 'web', '--detach'], { url: api.url })).code).toBe(0);
  });

  test('--dry-run is passed on', async () => {
    willRun({ command: command({ dryRun: true }), events: [], contact: null });
    const { out } = await lamp(['stop', 'web', '--dry-run'], { url: api.url });
    expect(posted()).toMatchObject({ operation: 'service.stop', dryRun: true });
    expect(out).toContain('dry run done');
  });

  test('survives connections that drop while it waits, and says so', async () => {
    willRun('drop', 'drop', { command: running(), events: EVENTS.slice(0, 3), contact: null }, 'drop', {
      command: command(),
      events: EVENTS.slice(3),
      contact: null,
    });
    const { code, out, err } = await lamp(['restart', 'web'], { url: api.url });
    expect(code).toBe(0);
    expect(err.match(/connection lost/g)).toHaveLength(2);
    expect(err.match(/connected again/g)).toHaveLength(2);
    expect(out).toContain('done in 2.4 s');
  });

  test('asks again under the same key when the answer to the request was lost', async () => {
    let times = 0;
    willRun({ command: command(), events: [], contact: null });
    api.on('POST /v1/commands', () => {
      times += 1;
      return times === 1 ? 'drop' : { body: { id: COMMAND_ID, host: 'vm-1' } };
    });
    expect((await lamp(['restart', 'web'], { url: api.url })).code).toBe(0);
    const keys = api.asked
      .filter(({ method }) => method === 'POST')
      .map(({ body }) => JSON.parse(body).idempotencyKey);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  test('Ctrl-C stops the waiting, not the command', async () => {
    willRun({ command: running(), events: [], contact: null });
    api.on(LOOK, () => 'hang');
    const isLookedAt = () => api.asked.at(-1)?.method === 'GET';
    const { code, err } = await lamp(['restart', 'web'], { url: api.url, interruptWhen: isLookedAt });
    expect(code).toBe(130);
    expect(err).toContain('the command goes on');
    expect(err).toContain('lamp commands 0000c0de --wait');
  });
});

describe('run', () => {
  test('takes any operation with key=value, typed as its definition says', async () => {
    willRun({ command: command({ operation: 'service.logs' }), events: [], contact: null });
    expect((await lamp(['run', 'service.logs', 'service=web', 'lines=7'], { url: api.url })).code).toBe(0);
    expect(posted()).toMatchObject({ operation: 'service.logs', params: { service: 'web', lines: 7 } });
  });

  test.each([
    [['run', 'service.restrat', 'service=web'], 'Did you mean "service.restart"?'],
    [['run', 'service.restart', 'servic=web'], 'Did you mean "service"?'],
    [['run', 'service.restart', 'web'], 'Parameters: service.'],
    [['run', 'service.logs', 'service=web', 'lines=many'], '"lines" is how many lines, the newest.'],
    [['restart', 'Web!'], '"service" is the service\'s name in the runbook, or its unit.'],
    [['runbook'], 'See: lamp runbook --help'],
    [['restart'], 'See: lamp restart --help'],
    [['restart', 'web', '--force'], 'See: lamp restart --help'],
    [['restat', 'web'], 'Did you mean restart?'],
    [['logs', 'web', '--since', 'yesterday'], 'For example 10m'],
    [['logs', 'web', '-f', '--since', '10m'], 'Use -n'],
    [['logs', 'web', '-f', '--grep', 'x'], 'Use -n'],
    [['logs', 'web', '--priority', 'loud'], '"priority" is only lines of this priority'],
  ])('%j is a usage error with a hint, and nothing is asked', async (args, hint) => {
    const { code, err, out } = await lamp(args, { url: api.url });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(hint);
    expect(api.asked).toEqual([]);
  });
});

describe('restore', () => {
  test('takes the newest proven backup, once the name was typed', async () => {
    const older = backup();
    const newer = backup({
      id: '20261123T060000Z-aaaaaa',
      startedAt: '2026-11-23T06:00:00.000Z',
      proof: { state: 'pending', at: null, faults: [] },
    });
    api.on('GET /v1/backups', () => ({ body: [older, newer] }));
    willRun({ command: command({ operation: 'restore.run' }), events: [], contact: null });
    const { code, err } = await lamp(['restore'], { url: api.url, typed: 'analytics' });
    expect(code).toBe(0);
    expect(err).toContain("Type the database's name (analytics)");
    expect(posted()).toMatchObject({
      operation: 'restore.run',
      params: { backup: older.id, confirm: 'analytics' },
    });
  });

  test('takes an intact backup as the latest, and says what it needs', async () => {
    const intact = backup({ proof: { state: 'intact', at: '2026-11-23T02:03:00.000Z', faults: [] } });
    api.on('GET /v1/backups', () => ({ body: [intact] }));
    willRun({ command: command({ operation: 'restore.run' }), events: [], contact: null });
    const { code, err } = await lamp(['restore', '--yes'], { url: api.url });
    expect(code).toBe(0);
    expect(err).toMatch(/warning:.* is encrypted, so only its bytes are proven.* age identity/);
    expect(posted()).toMatchObject({ params: { backup: intact.id } });
  });

  test('does nothing when another name was typed', async () => {
    api.on('GET /v1/backups', () => ({ body: [backup()] }));
    const { code, err } = await lamp(['restore'], { url: api.url, typed: 'analytica' });
    expect(code).toBe(2);
    expect(err).toContain('Nothing was done');
    expect(api.asked.every(({ method }) => method === 'GET')).toBe(true);
  });

  test('without a terminal and without --yes it does not even look', async () => {
    const { code, err } = await lamp(['restore', 'latest'], { url: api.url });
    expect(code).toBe(2);
    expect(err).toContain('--yes');
    expect(api.asked).toEqual([]);
  });

  test('--yes asks nothing, and warns of a backup that is not proven', async () => {
    const corrupt = backup({ proof: { state: 'corrupt', at: null, faults: ['database: sha256 differs'] } });
    api.on('GET /v1/backups', () => ({ body: [corrupt] }));
    willRun({ command: command({ state: 'failed', code: 'corrupt-backup' }), events: [], contact: null });
    const { code, err } = await lamp(['restore', corrupt.id, '--yes'], { url: api.url });
    expect(code).toBe(1);
    expect(err).toContain('known to be corrupt: database: sha256 differs');
  });

  test('finds no latest when none is proven', async () => {
    api.on('GET /v1/backups', () => ({
      body: [backup({ proof: { state: 'pending', at: null, faults: [] } })],
    }));
    const { code, err } = await lamp(['restore', '--yes'], { url: api.url });
    expect(code).toBe(2);
    expect(err).toContain('lamp verify latest');
  });
});

describe('kept', () => {
  const NAME = 'analytics_before_1f3a9c';

  test('forget drops the database whose name was typed again', async () => {
    willRun({ command: command({ operation: 'restore.forget' }), events: [], contact: null });
    const { code, err } = await lamp(['kept', 'forget', NAME], { url: api.url, typed: NAME });
    expect(code).toBe(0);
    expect(err).toContain(`${NAME} is dropped for good`);
    expect(posted()).toMatchObject({ operation: 'restore.forget', params: { name: NAME, confirm: NAME } });
  });

  test.each([
    ['another name was typed', [], 'analytics', 'Nothing was done'],
    ['there is no terminal to ask on', [], undefined, '--yes'],
  ])('forget does nothing when %s', async (_name, more, typed, said) => {
    const { code, err } = await lamp(['kept', 'forget', NAME, ...more], {
      url: api.url,
      ...(typed === undefined ? {} : { typed }),
    });
    expect(code).toBe(2);
    expect(err).toContain(said);
    expect(api.asked).toEqual([]);
  });

  test('forget --yes --json asks nothing and prints one document', async () => {
    willRun({ command: command({ operation: 'restore.forget' }), events: [], contact: null });
    const { code, out } = await lamp(['kept', 'forget', NAME, '--yes', '--json'], { url: api.url });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ command: { operation: 'restore.forget' } });
  });

  test('alone it lists, and its help names forget', async () => {
    willRun({
      command: command({ operation: 'restore.kept', result: { kept: [] } }),
      events: [],
      contact: null,
    });
    const { out } = await lamp(['kept'], { url: api.url });
    expect(posted()).toMatchObject({ operation: 'restore.kept' });
    expect(out).toContain('no restore has put a database aside');
    expect((await lamp(['kept', '--help'], { url: api.url })).out).toContain('forget [options] <database>');
  });
});

describe('verify', () => {
  test('waits for the new proof and exits with 1 when it is bad', async () => {
    let looks = 0;
    api.on('GET /v1/backups', () => {
      looks += 1;
      const proof = { state: 'corrupt', at: '2026-11-23T09:00:00.000Z', faults: ['globals: missing'] };
      return { body: [looks < 3 ? backup() : backup({ proof })] };
    });
    api.on(`POST /v1/backups/${backup().id}/verify`, () => ({ status: 202, body: backup() }));
    const { code, out } = await lamp(['verify'], { url: api.url });
    expect(code).toBe(1);
    expect(out).toContain('  globals: missing\n');
  });
});

describe('a control plane that says no or nothing', () => {
  test.each([
    [problem(401, 'unauthenticated', 'read token: it is unknown'), 3, 'check LAMP_TOKEN'],
    [
      problem(403, 'not-allowed', 'ask for service.stop: role viewer is not allowed', {
        hint: 'Requires the role operator.',
      }),
      3,
      'hint:  Requires the role operator.',
    ],
    [
      problem(404, 'not-found', 'find service wbe', { hint: 'Did you mean "web"?' }),
      2,
      'Did you mean "web"?',
    ],
    [problem(409, 'busy', 'take lock: held'), 1, 'error: take lock: held'],
    [{ status: 500, body: 'oops', type: 'text/plain' }, 1, 'HTTP 500'],
    [{ status: 503, body: '<html>', type: 'text/html' }, 4, 'try again'],
    [{ status: 200, body: '<html>', type: 'text/html' }, 4, 'Is http'],
    [{ status: 200, body: { unexpected: true } }, 1, 'different versions'],
  ])('%j', async (answer, exitCode, text) => {
    api.on('POST /v1/commands', () => answer);
    const { code, err, out } = await lamp(['stop', 'web'], { url: api.url });
    expect({ code, out }).toEqual({ code: exitCode, out: '' });
    expect(err).toContain(text);
    expect(err).not.toContain('secret-token');
  });

  test('that is not there: 4, and --json says it too', async () => {
    const { code, err, out } = await lamp(['status', '--json'], { url: 'http://127.0.0.1:9' });
    expect(code).toBe(4);
    expect(err).toContain('reach control plane http://127.0.0.1:9');
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'unavailable' } });
  });

  test('a redirect does not carry the token on', async () => {
    api.on('GET /v1/status', () => ({ status: 307, body: '', location: '/v1/elsewhere' }));
    expect((await lamp(['status'], { url: api.url })).code).toBe(4);
    expect(api.asked.map(({ path }) => path)).toEqual(['/v1/status']);
  });
});
