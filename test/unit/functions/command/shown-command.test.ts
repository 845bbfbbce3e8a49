import { expect, test } from 'vitest';
import { showCommand } from '#functions/command/shown-command.ts';
import { command } from '#test/integration/cli/samples.ts';

const RESULT = { lines: [] };
const OUTPUT = ['a line of the journal'];

test.each([
  ['service.logs', 'viewer', null, []],
  ['service.logs', 'responder', RESULT, OUTPUT],
  ['service.follow', 'viewer', null, []],
  ['service.status', 'viewer', RESULT, []],
  ['service.restart', 'viewer', RESULT, []],
  ['service.restart', 'responder', RESULT, OUTPUT],
  ['restore.run', 'viewer', RESULT, []],
] as const)('of %s a %s sees %j and %j', (operation, role, result, output) => {
  const shown = showCommand(command({ operation, result: RESULT, output: [...OUTPUT] }), role);
  expect(shown).toMatchObject({ result, output });
});
