// Generation and metageneration preconditions: cloud.google.com/storage/docs/request-preconditions
import * as z from 'zod';
import { conditionNotMet, StorageFault } from './fault.ts';

const int64 = z
  .string()
  .regex(/^\d{1,19}$/, 'must be a whole number')
  .transform(BigInt)
  .optional();

export const Preconditions = z.object({
  ifGenerationMatch: int64,
  ifGenerationNotMatch: int64,
  ifMetagenerationMatch: int64,
  ifMetagenerationNotMatch: int64,
});
export type Preconditions = z.infer<typeof Preconditions>;

export interface Version {
  generation: string;
  metageneration: string;
}

/**
 * Throws 412 when the live version is not the one asked for, and 304 when a read asks for any version but this one.
 * No live version counts as generation 0, so that `ifGenerationMatch=0` means "only create".
 */
export function assertPreconditions(
  conditions: Preconditions,
  live: Version | undefined,
  intent: 'read' | 'write',
): void {
  const generation = BigInt(live?.generation ?? 0);
  const metageneration = live ? BigInt(live.metageneration) : undefined;
  if (isOther(conditions.ifGenerationMatch, generation)) throw conditionNotMet('If-Match');
  if (isOther(conditions.ifMetagenerationMatch, metageneration)) throw conditionNotMet('If-Match');
  const isUnwanted =
    isSame(conditions.ifGenerationNotMatch, generation) ||
    isSame(conditions.ifMetagenerationNotMatch, metageneration);
  if (!isUnwanted) return;
  throw intent === 'read' ? new StorageFault(304, 'Not Modified') : conditionNotMet('If-None-Match');
}

function isOther(wanted: bigint | undefined, actual: bigint | undefined): boolean {
  return wanted !== undefined && wanted !== actual;
}

function isSame(unwanted: bigint | undefined, actual: bigint | undefined): boolean {
  return unwanted !== undefined && unwanted === actual;
}
