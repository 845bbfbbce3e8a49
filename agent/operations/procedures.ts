// Every procedure the runner has, by operation.
import { lookUp } from '#shared/look-up.ts';
import type { Procedure } from '../runner/steps.ts';
import { procedures as alert } from './alert.ts';
import { procedures as backup } from './backup.ts';
import { procedures as restore } from './restore.ts';
import { procedures as kept } from './restore-kept.ts';
import { procedures as service } from './service.ts';
import type { HostContext, Plan } from './twin.ts';

const PROCEDURES: Record<string, Plan> = { ...service, ...alert, ...backup, ...restore, ...kept };

/** The procedure of an operation for a parsed spec, or undefined when the runner has none. */
export function planProcedure(operation: string, spec: unknown, context: HostContext): Procedure | undefined {
  return lookUp(PROCEDURES, operation)?.(spec, context);
}
