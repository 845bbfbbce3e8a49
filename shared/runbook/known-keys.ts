// Which keys the schema knows at a path of the document, read from its own JSON Schema so that the two can't drift apart.
import * as z from 'zod';
import { lookUp } from '../look-up.ts';
import { Runbook } from './schema.ts';

interface JsonNode {
  properties?: Record<string, JsonNode>;
  additionalProperties?: JsonNode | boolean;
  items?: JsonNode;
  anyOf?: JsonNode[];
  oneOf?: JsonNode[];
}

/** The runbook's JSON Schema (draft 2020-12), for editors that complete and check it. */
export function runbookJsonSchema(): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(Runbook, { io: 'input', unrepresentable: 'any' });
}

function branchesOf(node: JsonNode): JsonNode[] {
  return [node, ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
}

function stepInto(node: JsonNode, part: string | number): JsonNode[] {
  return branchesOf(node).flatMap((branch) => {
    if (typeof part === 'number') return branch.items ? [branch.items] : [];
    const property = branch.properties && lookUp(branch.properties, part);
    if (property) return [property];
    return typeof branch.additionalProperties === 'object' ? [branch.additionalProperties] : [];
  });
}

let schemaOnce: JsonNode | undefined;

/** Made once: a hostile runbook asks for it thousands of times. */
function schemaRoot(): JsonNode {
  schemaOnce ??= runbookJsonSchema() as JsonNode;
  return schemaOnce;
}

/** Keys allowed in the mapping at `path`; empty when it is none. */
export function knownKeysAt(path: readonly (string | number)[]): string[] {
  let nodes: JsonNode[] = [schemaRoot()];
  for (const part of path) nodes = nodes.flatMap((node) => stepInto(node, part));
  const keys = nodes.flatMap(branchesOf).flatMap((node) => Object.keys(node.properties ?? {}));
  return [...new Set(keys)];
}

type Schema = z.core.$ZodType;

function unwrap(schema: Schema): Schema {
  let inner = schema;
  while (
    inner instanceof z.ZodLazy ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional
  ) {
    inner = inner.unwrap();
  }
  return inner;
}

function schemasIn(schema: Schema, part: string | number): Schema[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => schemasIn(option, part));
  if (inner instanceof z.ZodRecord) return [inner.valueType];
  if (inner instanceof z.ZodArray) return [inner.element];
  if (!(inner instanceof z.ZodObject)) return [];
  const shape: Record<string, Schema> = inner.shape;
  const found = lookUp(shape, String(part));
  return found ? [found] : [];
}

/**
 * The forms that an entry at `path` can have, when they are told apart by their keys; empty when there is only one. zod
 * reports one form alone when that one's faults are such as it may overlook, and that need not be the form that was meant.
 */
export function formsAt(path: readonly (string | number)[]): readonly Schema[] {
  let schemas: Schema[] = [Runbook];
  for (const part of path) schemas = schemas.flatMap((schema) => schemasIn(schema, part));
  const union = schemas.map(unwrap).find((schema) => schema instanceof z.ZodUnion);
  return union && !(union instanceof z.ZodDiscriminatedUnion) ? union.options : [];
}
