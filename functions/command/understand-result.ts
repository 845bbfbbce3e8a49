// Holds the result in a report against the operation's definition. Pure.
import * as z from 'zod';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { describeFault } from '#shared/plain-issue.ts';
import { oneLine } from '../one-line.ts';
import type { CommandRecord } from '../store/commands.ts';

export type Understanding = { understood: true; result: unknown } | { understood: false; fault: string };

/** The result of a dry run. */
const Plan = z.lazy(() =>
  z.strictObject({
    plan: z.array(
      z.strictObject({ step: z.string(), does: z.string(), exactly: z.array(z.string()).optional() }),
    ),
  }),
);

function schemaOf({ operation, dryRun }: Pick<CommandRecord, 'operation' | 'dryRun'>): z.ZodType | undefined {
  const definition = lookUpOperation(operation);
  // A read changes nothing, so it is done in a dry run too.
  return dryRun && definition && definition.risk !== 'read' ? Plan : definition?.result;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A copy without the keys that the issues call unknown. */
function withoutUnknownKeys(value: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy: unknown = structuredClone(value);
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    let owner = copy;
    for (const step of issue.path) owner = isObject(owner) ? Reflect.get(owner, step) : undefined;
    if (isObject(owner)) for (const key of issue.keys) Reflect.deleteProperty(owner, key);
  }
  return copy;
}

/** The result as its operation defines it, or why it does not match. Fields that a newer agent added are dropped. */
export function understandResult(
  command: Pick<CommandRecord, 'operation' | 'dryRun'>,
  result: unknown,
): Understanding {
  const schema = schemaOf(command);
  if (!schema) return { understood: false, fault: `there is no operation ${command.operation}` };
  const strict = schema.safeParse(result);
  if (strict.success) return { understood: true, result: strict.data };
  const { issues } = strict.error;
  const faults = issues.filter(({ code }) => code !== 'unrecognized_keys');
  if (faults.length > 0) return { understood: false, fault: oneLine(describeFault({ issues: faults })) };
  const parsed = schema.safeParse(withoutUnknownKeys(result, issues));
  if (parsed.success) return { understood: true, result: parsed.data };
  return { understood: false, fault: oneLine(describeFault(parsed.error)) };
}
