// The runbook's `deployments`: what is deployed where, and which services run from it. How it is fetched, tested and installed
// stands in the host's policy.
import * as z from 'zod';
import { DatabaseName, EntryName, HostName } from '../names.ts';

const Deployment = z.lazy(() =>
  z.strictObject({
    host: HostName,
    description: z.string().max(200).optional(),
    /** Restarted in this order once the new release is in place, each until it is healthy. */
    services: z.array(EntryName).max(20).default([]),
    /** Backed up before a migration that the host's policy declares. */
    database: DatabaseName.optional(),
  }),
);

export const Deployments = z.lazy(() => z.record(EntryName, Deployment).default({}));
