import { describe, expect, test } from 'vitest';
import { UNITS } from '#agent/install/units.ts';
import {
  fillCommandLine,
  listedUnits,
  orderUnits,
  parseCommandLine,
  parseSpan,
  parseUnitFile,
  readServiceSpec,
} from '#local/demo/supervisor/unit-file.ts';

describe('a unit file', () => {
  test('the last value counts, lists add up, comments are nothing', () => {
    const file = parseUnitFile(
      '# c\n[Unit]\nAfter=a.service b.service\nAfter=c.service\n; c\n[Service]\nExecStart=/bin/old\nExecStart = /bin/new\n',
    );
    expect(listedUnits(file, 'Unit.After')).toEqual(['a.service', 'b.service', 'c.service']);
    expect(readServiceSpec('x.service', file).start.argv).toEqual(['/bin/new']);
  });

  test('what is not said has systemd’s defaults', () => {
    expect(readServiceSpec('x.service', parseUnitFile('[Service]\nExecStart=/bin/x\n'))).toMatchObject({
      isOneshot: false,
      restart: 'no',
      restartMs: 100,
      killSignal: 'SIGTERM',
      stopTimeoutMs: 90_000,
      startLimitIntervalMs: 10_000,
      startLimitBurst: 5,
    });
  });

  test("a value with '=' in it stays whole", () => {
    const file = parseUnitFile('[Service]\nExecStart=/bin/x\nEnvironment=A=1=2 B=3\n');
    expect(readServiceSpec('x.service', file).environment).toEqual({ A: '1=2', B: '3' });
  });

  test('without ExecStart= it is no service', () => {
    expect(() => readServiceSpec('x.service', parseUnitFile('[Unit]\nDescription=x\n'))).toThrow(
      'read unit x.service: the file has no ExecStart',
    );
  });

  test("reads the agent's own units", () => {
    const read = (name: string, instance?: string) =>
      readServiceSpec(name, parseUnitFile(UNITS[name] ?? ''), instance);
    expect(read('lamplighter-agent.service')).toMatchObject({ restart: 'always', startLimitIntervalMs: 0 });
    const runner = read('lamplighter-run@.service', '7-1-0');
    expect(runner).toMatchObject({ stopTimeoutMs: 1_800_000 });
    expect(runner.start.argv.slice(-2)).toEqual(['--instance', '7-1-0']);
    expect(runner.stopPost?.argv).toEqual(expect.arrayContaining(['recover', '7-1-0']));
    expect(read('lamplighter-recover.service').isOneshot).toBe(true);
  });
});

test.each([
  ['1', 1000],
  ['100ms', 100],
  ['90s', 90_000],
  ['5min', 300_000],
  ['6h', 21_600_000],
  ['infinity', Number.POSITIVE_INFINITY],
])('a time span %s is %d ms', (text, ms) => {
  expect(parseSpan(text)).toBe(ms);
});

test.each(['', 'soon', '1.5', '-1', '3 weeks'])('refuses the time span "%s"', (text) => {
  expect(() => parseSpan(text)).toThrow('read time span');
});

test('a command line: its dash, and what stands for something', () => {
  const line = fillCommandLine(parseCommandLine('-/bin/kill -HUP $MAINPID'), { $MAINPID: '42' });
  expect(line).toEqual({ argv: ['/bin/kill', '-HUP', '42'], isFailureIgnored: true });
});

function order(units: Record<string, string>): string[] {
  return orderUnits(
    new Map(Object.entries(units).map(([name, unit]) => [name, parseUnitFile(`[Unit]\n${unit}\n`)])),
  );
}

test('After= and Before= decide, whatever the order of the names', () => {
  const ordered = order({
    'a.service': 'After=z.service',
    'm.socket': '',
    'z.service': 'Before=m.socket',
  });
  expect(ordered).toEqual(['z.service', 'a.service', 'm.socket']);
});

test('a unit that is not there, and a circle, do no harm', () => {
  expect(order({ 'a.service': 'After=gone.service b.service', 'b.service': 'After=a.service' })).toEqual([
    'b.service',
    'a.service',
  ]);
});
