// Which keys the schema knows at a path of the document, read from its own JSON Schema so that the two can't drift apart.
import { z } from 'zod';
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
    const property = branch.properties?.[part];
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
