import { expect, test } from 'vitest';
import { parseUnitFile } from '#local/demo/supervisor/unit-file.ts';
import { orderUnits } from '#local/demo/supervisor/unit-order.ts';

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
