// From an operation's parameters (zod) to what a command line needs to know of them, and back from words to values.
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import { describeIssue } from '#shared/plain-issue.ts';
import { nearestName } from '#shared/runbook/nearest-name.ts';

const FieldSchema = z.object({
  type: z.string().optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
});
const ParamsSchema = z.object({
  properties: z.record(z.string(), FieldSchema).default({}),
  required: z.array(z.string()).default([]),
});

export interface Parameter {
  name: string;
  /** JSON type: `string`, `integer`, `boolean`… */
  type: string;
  description: string;
  isRequired: boolean;
  default?: unknown;
}

/** The parameters of a JSON Schema (`z.toJSONSchema`, or what `GET /v1/operations` says). */
export function parametersOfSchema(schema: unknown): Parameter[] {
  const { properties, required } = ParamsSchema.parse(schema);
  return Object.entries(properties).map(([name, field]) => ({
    name,
    type: field.type ?? 'object',
    description: field.description ?? '',
    isRequired: required.includes(name),
    ...(field.default === undefined ? {} : { default: field.default }),
  }));
}

/** An operation's parameters, in the order of its definition. */
export function parametersOf(definition: OperationDefinition): Parameter[] {
  return parametersOfSchema(z.toJSONSchema(definition.params, { io: 'input', unrepresentable: 'any' }));
}

/** A word of the command line as a value of the parameter's type; left as it is when it can't be one, for zod to say so. */
export function readWord(word: string, type: string): unknown {
  if (type === 'integer' || type === 'number') return /^-?\d+(\.\d+)?$/.test(word) ? Number(word) : word;
  if (type === 'boolean') return word === 'true' ? true : word === 'false' ? false : word;
  if (type === 'string') return word;
  try {
    return JSON.parse(word);
  } catch {
    return word;
  }
}

/** Checks parameters before anything is sent. Throws `invalid-input` with the first fault and the near name of an unknown key. */
export function checkParameters(
  definition: OperationDefinition,
  given: Record<string, unknown>,
): Record<string, unknown> {
  const parsed = definition.params.safeParse(given);
  if (parsed.success) return z.record(z.string(), z.unknown()).parse(parsed.data);
  // A misspelt key is also a missing one: the misspelling is what helps.
  const { issues } = parsed.error;
  throw faultOf(definition, issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]);
}

function faultOf(definition: OperationDefinition, fault: z.core.$ZodIssue | undefined): LamplighterError {
  const parameters = parametersOf(definition);
  const task = `read parameters of ${definition.name}`;
  if (fault?.code === 'unrecognized_keys') {
    const key = fault.keys[0] ?? '';
    const known = parameters.map(({ name }) => name);
    const near = nearestName(key, known);
    const hint = near ? `Did you mean "${near}"?` : `Parameters: ${known.join(', ') || 'none'}.`;
    return new LamplighterError('invalid-input', `${task}: unknown "${key}"`, { hint });
  }
  const name = fault?.path.join('.') ?? '';
  const about = parameters.find((parameter) => parameter.name === name)?.description;
  return new LamplighterError(
    'invalid-input',
    `${task}: ${name}: ${fault ? describeIssue(fault) : 'malformed'}`,
    about ? { hint: `"${name}" is ${about}.` } : {},
  );
}
