// The supervisor with real processes: the demo's and the agent's kinds of units.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { journalFiles } from '#local/demo/supervisor/journal.ts';
import { Supervisor } from '#local/demo/supervisor/supervisor.ts';
import { answerSystemctl } from '#local/demo/supervisor/systemctl.ts';

let root: string;
let supervisor: Supervisor;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lamplighter-supervisor-'));
  mkdirSync(join(root, 'etc/systemd/system'), { recursive: true });
  supervisor = new Supervisor({ root, account: undefined, environment: { PATH: '/usr/bin:/bin' } });
});
afterEach(async () => {
  await supervisor.shutDown();
  rmSync(root, { recursive: true, force: true });
});

function unit(name: string, service: string, head = ''): void {
  const text = `[Unit]\nDescription=${name}\n${head}\n[Service]\n${service}\n`;
  writeFileSync(join(root, 'etc/systemd/system', name), text);
}

function script(name: string, text: string): string {
  const file = join(root, `${name}.mjs`);
  writeFileSync(file, text);
  return `${process.execPath} ${file}`;
}

const FOREVER = 'setInterval(() => undefined, 1000);';
const stateOf = (name: string) => supervisor.service(name).state();

function journalOf(name: string): string {
  const [, file] = journalFiles(join(root, 'var/log/journal'), name);
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** A zombie that its machine's init does not care for is dead. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a service', () => {
  test('starts once, prints into its journal, stops with its children', async () => {
    const child = script('child', FOREVER);
    const [file = '', ...args] = child.split(' ');
    const text = `import { spawn } from 'node:child_process';
      console.log('child', spawn(${JSON.stringify(file)}, ${JSON.stringify(args)}).pid); ${FOREVER}`;
    unit('a.service', `ExecStart=${script('a', text)}`);
    await supervisor.start('a.service');
    const { mainPid, invocationId } = stateOf('a.service');
    await supervisor.start('a.service');
    expect(stateOf('a.service')).toMatchObject({ activeState: 'active', mainPid, invocationId });
    await expect.poll(() => journalOf('a.service')).toContain('child ');
    const childPid = Number(/child (\d+)/.exec(journalOf('a.service'))?.[1]);
    await supervisor.stop('a.service');
    expect(stateOf('a.service')).toMatchObject({ activeState: 'inactive', subState: 'dead', mainPid: 0 });
    await expect.poll(() => [mainPid, childPid].map(isAlive)).toEqual([false, false]);
  });

  test('comes back after a failure, with a new start of its own, and not after a clean end', async () => {
    unit('a.service', `ExecStart=${script('a', FOREVER)}\nRestart=on-failure\nRestartSec=100ms`);
    await supervisor.start('a.service');
    const first = stateOf('a.service');
    supervisor.service('a.service').kill('SIGKILL');
    await expect.poll(() => stateOf('a.service').restarts).toBe(1);
    await expect.poll(() => stateOf('a.service').activeState).toBe('active');
    expect(stateOf('a.service').invocationId).not.toBe(first.invocationId);
    supervisor.service('a.service').kill('SIGTERM');
    await expect.poll(() => stateOf('a.service').activeState).toBe('inactive');
  });

  test('stays down after the signal that its unit names', async () => {
    unit('a.service', `ExecStart=${script('a', FOREVER)}\nRestart=always\nRestartPreventExitStatus=SIGKILL`);
    await supervisor.start('a.service');
    supervisor.service('a.service').kill('SIGKILL');
    await expect.poll(() => stateOf('a.service').activeState).toBe('failed');
    await sleep(300);
    expect(stateOf('a.service')).toMatchObject({ activeState: 'failed', restarts: 0 });
  });

  test('is given up when it fails too often, until its counter is reset', async () => {
    const limit = 'StartLimitIntervalSec=60\nStartLimitBurst=2';
    unit('a.service', `ExecStart=${script('a', 'process.exit(3)')}\nRestart=always\nRestartSec=1ms`, limit);
    await supervisor.start('a.service').catch(() => undefined);
    await expect.poll(() => journalOf('a.service')).toContain('repeated too quickly');
    await expect(supervisor.start('a.service')).rejects.toThrow('started too often');
    supervisor.service('a.service').resetFailed();
    await supervisor.start('a.service').catch(() => undefined);
    await expect.poll(() => stateOf('a.service').activeState).toBe('failed');
  });

  test('a program that is not there fails the start and says so', async () => {
    unit('a.service', 'ExecStart=/nowhere/program');
    await supervisor.start('a.service').catch(() => undefined);
    await expect.poll(() => stateOf('a.service').activeState).toBe('failed');
    expect(journalOf('a.service')).toMatch(/Main process exited/);
  });

  test('one that does not hear the signal is killed in time', async () => {
    const deaf = `process.on('SIGTERM', () => undefined); console.log('ready'); ${FOREVER}`;
    unit('a.service', `ExecStart=${script('a', deaf)}\nTimeoutStopSec=300ms`);
    await supervisor.start('a.service');
    await expect.poll(() => journalOf('a.service')).toContain('ready');
    await supervisor.stop('a.service');
    expect(stateOf('a.service').mainPid).toBe(0);
  });

  test('has the environment of its unit and of its file, and starts what it wants', async () => {
    const print = 'console.log(process.env.A, process.env.B, process.cwd());';
    writeFileSync(join(root, 'env'), '# c\nB=from the file\n');
    unit('w.service', `ExecStart=${script('w', FOREVER)}`);
    unit(
      'a.service',
      `ExecStart=${script('a', print)}\nEnvironment=A=1\nEnvironmentFile=${root}/env\nWorkingDirectory=${root}`,
      'Wants=w.service gone.service',
    );
    await supervisor.start('a.service');
    await expect.poll(() => journalOf('a.service')).toContain(`1 from the file ${root}`);
    expect(stateOf('w.service').activeState).toBe('active');
  });
});

test('a socket gives each connection to an instance, whose clean-up runs after it', async () => {
  const answer = `process.stdin.once('data', (line) => { process.stdin.destroy();
    console.log('instance', process.argv[2], 'got', String(line)); process.exit(1); });`;
  unit(
    'run@.service',
    `ExecStart=${script('run', answer)} %i\nStandardInput=socket\nExecStopPost=${script('post', "console.log('cleaned', process.argv[2])")} %i`,
  );
  const path = join(root, 'run/x.sock');
  writeFileSync(join(root, 'etc/systemd/system/run.socket'), `[Socket]\nListenStream=${path}\nAccept=yes\n`);
  await supervisor.start('run.socket');
  expect(supervisor.isWaiting('run.socket')).toBe(true);
  for (const word of ['one', 'two'])
    createConnection(path)
      .on('error', () => undefined)
      .end(`${word}\n`);
  for (const said of [/instance 0-\S+ got/, /instance 1-\S+ got/, /cleaned 0-/, /cleaned 1-/])
    await expect.poll(() => journalOf('run@.service')).toMatch(said);
  await supervisor.stop('run.socket');
  expect(supervisor.isWaiting('run.socket')).toBe(false);
});

test('a timer starts its service again after it has ended', async () => {
  unit('t.service', `Type=oneshot\nExecStart=${script('t', "console.log('ticked')")}`);
  writeFileSync(
    join(root, 'etc/systemd/system/t.timer'),
    '[Timer]\nOnBootSec=50ms\nOnUnitInactiveSec=50ms\n',
  );
  await supervisor.start('t.timer');
  await expect.poll(() => journalOf('t.service').match(/ticked/g)?.length).toBeGreaterThan(1);
});

test('what is enabled runs again when the host starts again', async () => {
  unit('a.service', `ExecStart=${script('a', FOREVER)}`);
  unit('b.service', `ExecStart=${script('b', FOREVER)}`);
  supervisor.enable('a.service');
  await supervisor.start('a.service');
  await supervisor.start('b.service');
  const { mainPid } = stateOf('a.service');
  await supervisor.shutDown();
  expect(isAlive(mainPid)).toBe(false);
  const whole = await answerSystemctl(supervisor, ['is-system-running']);
  expect(whole).toEqual({ code: 1, stdout: 'stopping\n', stderr: '' });
  await supervisor.boot();
  expect(stateOf('a.service').activeState).toBe('active');
  expect(stateOf('b.service').activeState).toBe('inactive');
});

describe('systemctl', () => {
  const ask = (...argv: string[]) => answerSystemctl(supervisor, argv);

  test('show: a block for each unit, with the properties asked for', async () => {
    unit('a.service', `ExecStart=${script('a', FOREVER)}`);
    await ask('start', '--', 'a.service');
    const { mainPid } = stateOf('a.service');
    expect(
      await ask('show', '--no-pager', '--property=Id,LoadState,MainPID', '--', 'a.service', 'b.service'),
    ).toEqual({
      code: 0,
      stdout: `Id=a.service\nLoadState=loaded\nMainPID=${mainPid}\n\nId=b.service\nLoadState=not-found\n`,
      stderr: '',
    });
  });

  test.each([
    ['a unit that is not there', ['start', 'gone.service'], 5],
    ['a verb that is not known', ['isolate', 'a.service'], 2],
    ['an option that is not known', ['start', '--user', 'a.service'], 2],
    ['a verb that nobody asks for here', ['is-active', 'a.service'], 2],
    ['a reload without ExecReload=', ['reload', 'a.service'], 1],
    ['a signal that is none', ['kill', '--signal=SIGNONE', 'a.service'], 2],
    ['the whole host', ['is-system-running'], 0],
  ])('%s', async (_case, argv, code) => {
    unit('a.service', `ExecStart=${script('a', FOREVER)}`);
    expect(await ask(...argv)).toMatchObject({ code });
  });

  test('reload runs ExecReload= with the main process’s id', async () => {
    const text = `process.on('SIGHUP', () => console.log('reloaded')); console.log('ready'); ${FOREVER}`;
    unit('a.service', `ExecStart=${script('a', text)}\nExecReload=/bin/kill -HUP $MAINPID`);
    await ask('start', 'a.service');
    await expect.poll(() => journalOf('a.service')).toContain('ready');
    expect(await ask('reload', 'a.service')).toMatchObject({ code: 0 });
    await expect.poll(() => journalOf('a.service')).toContain('reloaded');
  });
});
