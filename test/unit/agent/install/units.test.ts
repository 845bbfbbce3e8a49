import { expect, test } from 'vitest';
import { STARTED_UNITS, UNITS } from '#agent/install/units.ts';
import { lastValue, listedUnits, parseUnitFile } from '#local/demo/supervisor/unit-file.ts';

const ORDER = ['Unit.After', 'Unit.Before'] as const;

test('no socket waits for a service, nor a service for a socket to come up after it', () => {
  // Sockets come up before basic.target and services after it: systemd would break such a circle by leaving out a unit.
  for (const [name, text] of Object.entries(UNITS)) {
    const file = parseUnitFile(text);
    const kind = name.endsWith('.socket') ? '.service' : '.socket';
    const key = name.endsWith('.socket') ? ORDER[0] : ORDER[1];
    expect(listedUnits(file, key).filter((other) => other.endsWith(kind))).toEqual([]);
  }
});

test.each([
  ['run', 8],
  ['read', 16],
])('whoever may connect starts no more than a few of %s, in a slice of their own', (kind, most) => {
  const socket = parseUnitFile(UNITS[`lamplighter-${kind}.socket`] ?? '');
  const service = parseUnitFile(UNITS[`lamplighter-${kind}@.service`] ?? '');
  const slice = parseUnitFile(UNITS[`lamplighter-${kind}.slice`] ?? '');
  expect(Number(lastValue(socket, 'Socket.MaxConnections'))).toBe(most);
  expect(lastValue(service, 'Service.Slice')).toBe(`lamplighter-${kind}.slice`);
  expect(Number(lastValue(slice, 'Slice.CPUWeight'))).toBeLessThan(100);
});

test('readers have a bound of memory together; a runner is not spared before PostgreSQL, nor bounded with its pg_restore', () => {
  const runner = parseUnitFile(UNITS['lamplighter-run@.service'] ?? '');
  const readers = parseUnitFile(UNITS['lamplighter-read.slice'] ?? '');
  expect(lastValue(readers, 'Slice.MemoryMax')).toBe('768M');
  expect(lastValue(runner, 'Service.OOMScoreAdjust')).toBeUndefined();
  expect(lastValue(runner, 'Service.MemoryMax')).toBeUndefined();
  expect(lastValue(runner, 'Service.ExecStart')).toContain('--max-old-space-size=384 ');
});

test('the agent starts when what a crash cut short has been brought to an end', () => {
  expect(listedUnits(parseUnitFile(UNITS['lamplighter-agent.service'] ?? ''), 'Unit.After')).toContain(
    'lamplighter-recover.service',
  );
});

test('what stops the slices stops an upload too, and one that takes hours keeps no recovery waiting', () => {
  const upload = parseUnitFile(UNITS['lamplighter-upload.service'] ?? '');
  expect(lastValue(upload, 'Service.Slice')).toBe('lamplighter-run.slice');
  expect(lastValue(upload, 'Service.ExecStart')).toMatch(/runner\.mjs upload$/);
  expect(STARTED_UNITS).toContain('lamplighter-upload.timer');
});
