// A verb that is short for an operation: required parameters are its arguments, the others its options.
import type { Command } from 'commander';
import { findOperation } from '#shared/operations/catalogue.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import { roleNeededFor } from '#shared/role.ts';
import { performOperation } from '../command/perform.ts';
import { addExamples, type VerbModule } from '../verb.ts';
import { checkParameters, type Parameter, parametersOf, readWord } from './parameters.ts';

interface ActionOptions {
  detach?: boolean;
  dryRun?: boolean;
  [option: string]: unknown;
}

/** The verb of an operation. */
export function operationVerb(operation: string, example: string): VerbModule {
  const definition = findOperation(operation);
  const parameters = parametersOf(definition);
  return {
    define(command, bind) {
      describeOperation(command, definition);
      for (const parameter of parameters) addParameter(command, parameter);
      addActionOptions(command, definition);
      addExamples(command, example);
      const action = bind(async (session, words: string[], options: ActionOptions) => {
        const params = checkParameters(definition, readParameters(parameters, words, options));
        const order = { operation, params, dryRun: options.dryRun === true };
        return performOperation(session, order, options.detach === true);
      });
      command.action(() => action(command.args, command.opts()));
    },
  };
}

/** Summary, operation, risk and role: what `--help` says first. */
export function describeOperation(command: Command, definition: OperationDefinition): void {
  const { name, summary, risk } = definition;
  const role = roleNeededFor(definition);
  command.description(`${summary}.\n\nOperation ${name}, risk ${risk}. Requires the role ${role}.`);
}

/** `--detach`, and `--dry-run` for what changes something. */
export function addActionOptions(command: Command, { risk }: Pick<OperationDefinition, 'risk'>): void {
  command.option('--detach', 'return at once; to wait later: `lamp commands ID --wait`');
  if (risk !== 'read') command.option('--dry-run', 'print what the operation would do, change nothing');
}

function optionName(parameter: string): string {
  return parameter.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function addParameter(command: Command, { name, type, description, isRequired, ...rest }: Parameter): void {
  if (isRequired) {
    command.argument(`<${name}>`, description);
    return;
  }
  const preset = rest.default === undefined ? '' : ` (default ${JSON.stringify(rest.default)})`;
  const flags = type === 'boolean' ? `--${optionName(name)}` : `--${optionName(name)} <${type}>`;
  command.option(flags, `${description}${preset}`);
}

function readParameters(
  parameters: Parameter[],
  words: string[],
  options: ActionOptions,
): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  const required = parameters.filter(({ isRequired }) => isRequired);
  for (const [i, { name, type }] of required.entries()) given[name] = readWord(words[i] ?? '', type);
  for (const { name, type, isRequired } of parameters) {
    const value = options[name];
    if (isRequired || value === undefined) continue;
    given[name] = typeof value === 'string' ? readWord(value, type) : value;
  }
  return given;
}
