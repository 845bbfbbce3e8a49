// The hosts and operations that a token is limited to. Pure.
import { OPERATION_NAMES } from '#shared/operations/catalogue.ts';

export interface TokenScope {
  /** null: all. */
  hosts: readonly string[] | null;
  /** Names, or a family as `service.*`; null: all. */
  operations: readonly string[] | null;
}

/** A token without limits besides its role. */
export const UNLIMITED: TokenScope = { hosts: null, operations: null };

const FAMILY_SUFFIX = '.*';

function covers(entry: string, operation: string): boolean {
  return entry.endsWith(FAMILY_SUFFIX) ? operation.startsWith(entry.slice(0, -1)) : entry === operation;
}

/** True for a name or a family of the catalogue. */
export function isOperationScope(entry: string): boolean {
  return OPERATION_NAMES.some((name) => covers(entry, name));
}

/** True when the token is limited to hosts or operations. */
export function isScoped({ hosts, operations }: TokenScope): boolean {
  return hosts !== null || operations !== null;
}

/** Why the token does not allow the operation on the host, or undefined when it does. */
export function scopeFault(
  { hosts, operations }: TokenScope,
  asked: { operation: string; host: string },
): string | undefined {
  if (operations && !operations.some((entry) => covers(entry, asked.operation))) {
    return `it is limited to ${operations.join(', ')}`;
  }
  if (hosts && !hosts.includes(asked.host)) return `it is limited to hosts ${hosts.join(', ')}`;
  return undefined;
}
