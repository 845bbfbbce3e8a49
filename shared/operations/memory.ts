// memory.top: who uses the host's memory.

import * as z from 'zod';
import { ALLOWED, defineOperation } from './definition.ts';
import { HostParameter, hostInParams, nameHost } from './host.ts';

/** The largest processes and units. */
export const MAX_TOP = 20;

const Bytes = z.int().nonnegative();

export const MemoryTop = z.lazy(() =>
  z.strictObject({
    memory: z.strictObject({
      totalBytes: Bytes,
      availableBytes: Bytes,
      swapTotalBytes: Bytes,
      swapFreeBytes: Bytes,
    }),
    /** Processes that the kernel ended since boot because memory ran out; null where it does not count them. */
    oomKills: z.int().nonnegative().nullable(),
    processes: z.array(
      z.strictObject({
        pid: z.int(),
        /** The program's name. No argument: it may hold secrets. */
        name: z.string(),
        user: z.string(),
        /** systemd's unit or scope; null for what belongs to none. */
        unit: z.string().nullable(),
        /** In memory now; pages that it shares with others count in full. */
        residentBytes: Bytes,
      }),
    ),
    units: z.array(
      z.strictObject({
        unit: z.string(),
        processes: z.int().positive(),
        residentBytes: Bytes,
        /** By the kernel's own account, with the cache of files; null where its control group has none. */
        bytes: Bytes.nullable(),
        peakBytes: Bytes.nullable(),
        /** Since the unit was started last. */
        oomKills: z.int().nonnegative().nullable(),
      }),
    ),
    /** All of them, those that are not shown too. */
    processesInAll: z.int().nonnegative(),
  }),
);
export type MemoryTop = z.infer<typeof MemoryTop>;

export const memoryTop = defineOperation({
  name: 'memory.top',
  summary: 'Show which processes and units use the memory',
  risk: 'read',
  // A process of an ordinary account does not see those of the others.
  needsRoot: true,
  params: z.strictObject({ host: HostParameter }),
  spec: z.strictObject({}),
  result: MemoryTop,
  timeoutMs: 30_000,
  canonical: hostInParams,
  resolve: ({ host }, context) => ({ host: nameHost(host, context), spec: {} }),
  permit: () => ALLOWED,
});
