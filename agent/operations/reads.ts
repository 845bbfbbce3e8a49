// Every read the agent answers itself, by operation.
import { lookUp } from '#shared/look-up.ts';
import { reads as backup } from './backup.ts';
import { reads as follow } from './follow.ts';
import { reads as host } from './host.ts';
import { reads as kept } from './restore-kept.ts';
import { reads as service } from './service.ts';
import type { Read } from './twin.ts';

const READS: Record<string, Read> = { ...service, ...host, ...follow, ...backup, ...kept };

/** The read of an operation, or undefined when the agent has none. */
export function findRead(operation: string): Read | undefined {
  return lookUp(READS, operation);
}
