// lamp as people run it: a process of its own, also on a terminal (script, from util-linux, makes one).
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup, COMMAND_ID, command, EVENTS, running, STATUS } from './samples.ts';
import { LAMP, type ScriptedApi, spawnLamp, startScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
let folder: string;
beforeEach(async () => {
  api = await startScriptedApi();
  folder = mkdtempSync(join(tmpdir(), 'lamplighter-lamp-'));
});
afterEach(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

function env() {
  return { LAMP_URL: api.url, LAMP_TOKEN: 'secret-token' };
}

describe('the process', () => {
  test('prints the status and leaves with 0', async () => {
    api.on('GET /v1/status', () => ({ body: STATUS }));
    const { code, out, err } = await spawnLamp(['status'], env());
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('app-orchestrator.service');
    expect(api.asked[0]?.authorization).toBe('Bearer secret-token');
  });

  test('writes a large document whole into a pipe', async () => {
    const commands = Array.from({ length: 3000 }, () => command());
    api.on('GET /v1/status', () => ({ body: { ...STATUS, commands } }));
    const { out } = await spawnLamp(['status', '--json'], env());
    expect(JSON.parse(out).commands).toHaveLength(3000);
  });

  test('takes address and token from the nearest .lamplighter/lamp.json', async () => {
    api.on('GET /v1/status', () => ({ body: STATUS }));
    await mkdir(join(folder, '.lamplighter'));
    await mkdir(join(folder, 'deep/er'), { recursive: true });
    const config = JSON.stringify({ url: api.url, token: 'from-file' });
    writeFileSync(join(folder, '.lamplighter/lamp.json'), config, { mode: 0o600 });
    const child = spawn(process.execPath, [LAMP, 'status'], { cwd: join(folder, 'deep/er'), env: {} });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(api.asked[0]?.authorization).toBe('Bearer from-file');
  });

  test('Ctrl-C while it waits: 130, and the command goes on', async () => {
    api.on('POST /v1/commands', () => ({ body: { id: COMMAND_ID, host: 'vm-1' } }));
    let looks = 0;
    api.on(`GET /v1/commands/${COMMAND_ID}`, () => {
      looks += 1;
      return looks === 1
        ? { body: { command: running(), events: EVENTS.slice(0, 3), contact: null } }
        : 'hang';
    });
    const { code, err } = await spawnLamp(['restart', 'web'], env(), (out, kill) => {
      if (out.includes('accepted by')) kill('SIGINT');
    });
    expect(code).toBe(130);
    expect(err).toContain('lamp commands 0000c0de --wait');
  });

  test('the reader of a pipe may leave', async () => {
    const commands = Array.from({ length: 3000 }, () => command());
    api.on('GET /v1/status', () => ({ body: { ...STATUS, commands } }));
    const child = spawn(process.execPath, [LAMP, 'status', '--json'], { env: env(), cwd: '/' });
    child.stdout.once('data', () => child.stdout.destroy());
    let err = '';
    child.stderr.on('data', (text) => {
      err += text;
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(err).toBe('');
  });
});

const hasScript = existsSync('/usr/bin/script');

/** Runs lamp on a terminal of its own; `type` is given what the terminal shows and returns what to type, once. */
function onTerminal(args: string[], type: (shown: string) => string | undefined = () => undefined) {
  const commandLine = [process.execPath, LAMP, ...args].join(' ');
  const child = spawn('/usr/bin/script', ['-qec', commandLine, '/dev/null'], {
    env: { ...env(), PATH: process.env['PATH'], TERM: 'xterm', XDG_CACHE_HOME: folder },
    cwd: '/',
  });
  let shown = '';
  let isTyped = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    const typed = isTyped ? undefined : type(shown);
    if (typed === undefined) return;
    isTyped = true;
    child.stdin.write(typed);
  });
  return new Promise<{ code: number | null; shown: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, shown }));
  });
}

describe.skipIf(!hasScript)('on a terminal (needs the script program)', () => {
  beforeEach(() => {
    api.on('POST /v1/commands', () => ({ body: { id: COMMAND_ID, host: 'vm-1' } }));
    let looks = 0;
    api.on(`GET /v1/commands/${COMMAND_ID}`, async () => {
      looks += 1;
      if (looks === 1) return { body: { command: running(), events: EVENTS.slice(0, 3), contact: null } };
      await new Promise((resolve) => setTimeout(resolve, 400));
      return { body: { command: command(), events: EVENTS.slice(3), contact: null } };
    });
  });

  test('a spinner shows the step that goes on, and is gone in the end', async () => {
    const { code, shown } = await onTerminal(['restart', 'web']);
    expect(code).toBe(0);
    expect(shown).toMatch(/\d\.\d s {2}[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] restart app-web\.service/);
    expect(shown).toContain('\u001b[32mdone\u001b[39m in 2.4 s');
    expect(shown.slice(shown.indexOf('done'))).not.toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
  });

  test('Ctrl-C typed there stops the waiting', async () => {
    api.on(`GET /v1/commands/${COMMAND_ID}`, ({ query }) =>
      query.get('after') === '0'
        ? { body: { command: running(), events: EVENTS.slice(0, 3), contact: null } }
        : 'hang',
    );
    const { code, shown } = await onTerminal(['restart', 'web'], (text) =>
      text.includes('accepted by') ? '\u0003' : undefined,
    );
    expect(code).toBe(130);
    expect(shown).toContain('the command goes on');
  });

  test('restore asks for the name and goes on when it is typed', async () => {
    api.on('GET /v1/backups', () => ({ body: [backup()] }));
    const { code } = await onTerminal(['restore'], (text) =>
      text.includes('to go on: ') ? 'analytics\r' : undefined,
    );
    expect(code).toBe(0);
    const asked = api.asked.find(({ method }) => method === 'POST');
    expect(JSON.parse(asked?.body ?? '{}').params.confirm).toBe('analytics');
  });

  test('Ctrl-C at the question does nothing at all', async () => {
    api.on('GET /v1/backups', () => ({ body: [backup()] }));
    const { code } = await onTerminal(['restore'], (text) =>
      text.includes('to go on: ') ? '\u0003' : undefined,
    );
    expect(code).toBe(130);
    expect(api.asked.every(({ method }) => method === 'GET')).toBe(true);
  });
});
