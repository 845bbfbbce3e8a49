import { expect, test } from 'vitest';
import { UNITS } from '#agent/install/units.ts';
import { listedUnits, parseUnitFile } from '#local/supervisor/unit-file.ts';

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

test('the agent starts when what a crash cut short has been brought to an end', () => {
  expect(listedUnits(parseUnitFile(UNITS['lamplighter-agent.service'] ?? ''), 'Unit.After')).toContain(
    'lamplighter-recover.service',
  );
});
