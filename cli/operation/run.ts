// `lamp run OPERATION key=value…`: any operation of the catalogue.
import type { Command } from 'commander';
import { LamplighterError } from '#shared/errors.ts';
import { findOperation } from '#shared/operations/catalogue.ts';
import { performOperation } from '../command/perform.ts';
import { addExamples, type Bind } from '../verb.ts';
import { checkParameters, parametersOf, readWord } from './parameters.ts';

interface RunOptions {
  detach?: boolean;
  dryRun?: boolean;
}

export function define(command: Command, bind: Bind): void {
  command
    .argument('<operation>', "the operation's name; `lamp operations` lists all")
    .argument('[parameters...]', 'key=value; lists and objects as JSON')
    .option('--detach', 'return at once; to wait later: `lamp commands ID --wait`')
    .option('--dry-run', 'print what the operation would do, change nothing')
    .action(
      bind(async (session, operation: string, words: string[], options: RunOptions) => {
        const definition = findOperation(operation);
        const types = new Map(parametersOf(definition).map(({ name, type }) => [name, type]));
        const given = Object.fromEntries(words.map((word) => readPair(word, types)));
        const params = checkParameters(definition, given);
        const order = { operation, params, dryRun: options.dryRun === true };
        return performOperation(session, order, options.detach === true);
      }),
    );
  addExamples(command, 'lamp run service.restart service=web --dry-run', 'lamp run host.vitals host=vm-1');
}

function readPair(word: string, types: Map<string, string>): [string, unknown] {
  const at = word.indexOf('=');
  if (at < 1) {
    throw new LamplighterError('invalid-input', `read parameter ${word}: not of the form key=value`, {
      hint: `Parameters: ${[...types.keys()].join(', ') || 'none'}.`,
    });
  }
  const key = word.slice(0, at);
  return [key, readWord(word.slice(at + 1), types.get(key) ?? 'string')];
}
