// Every operation's twin on this host.
import type { Procedure } from '../runner/step.ts';
import { twins as alert } from './alert.ts';
import { twins as backup } from './backup.ts';
import { twins as command } from './command.ts';
import { twins as db } from './db.ts';
import { twins as deploy } from './deploy.ts';
import { twins as disk } from './disk.ts';
import { twins as host } from './host.ts';
import { twins as jobs } from './jobs.ts';
import { twins as memory } from './memory.ts';
import { twins as kept } from './restore/kept.ts';
import { twins as restore } from './restore.ts';
import { twins as service } from './service.ts';
import { twins as stack } from './stack.ts';
import type { HostContext, Read, Twin } from './twin.ts';

export const TWINS: readonly Twin[] = [
  ...service,
  ...stack,
  ...host,
  ...db,
  ...jobs,
  ...disk,
  ...memory,
  ...backup,
  ...restore,
  ...kept,
  ...deploy,
  ...alert,
  ...command,
];

function findTwin(name: string): Twin | undefined {
  return TWINS.find(({ operation }) => operation === name);
}

/** The read of an operation, or undefined when the agent has none. */
export function findRead(operation: string): Read | undefined {
  const twin = findTwin(operation);
  return twin && 'read' in twin ? twin.read : undefined;
}

/** The procedure of an operation for a spec, or undefined when the runner has none. */
export function planProcedure(operation: string, spec: unknown, context: HostContext): Procedure | undefined {
  const twin = findTwin(operation);
  return twin && 'plan' in twin ? twin.plan(spec, context) : undefined;
}
