// Commands that need the rights of the database's owner: migrations, tokens, verification of the audit trail. `npm run admin`
// runs them where the database can be reached; the entry point `admin` runs them inside the cloud's network.

import * as z from 'zod';
import type { TokenView } from '#shared/api/views.ts';
import { HostName } from '#shared/names.ts';
import { Role } from '#shared/role.ts';
import { checkTrail, type TrailVerdict } from '../audit/check.ts';
import type { AnchorFindings } from '../audit/read-anchors.ts';
import { HttpFault } from '../http/fault.ts';
import type { Database } from '../store/database.ts';
import { letFunctionsIn } from '../store/functions-role.ts';
import { migrate } from '../store/migrate.ts';
import {
  createToken,
  DEFAULT_LIFETIME_DAYS,
  listTokens,
  MAX_LIFETIME_DAYS,
  revokeToken,
} from '../store/tokens.ts';
import { isOperationScope } from '../token/scope.ts';

const TokenName = z.string().min(1).max(100);
const Operation = z.string().refine(isOperationScope, 'neither an operation nor a family of them');

export const AdminCommand = z.lazy(() =>
  z.discriminatedUnion('command', [
    z.strictObject({ command: z.literal('migrate') }),
    z.strictObject({
      command: z.literal('create-token'),
      name: TokenName,
      role: Role,
      lifetimeDays: z.int().min(1).max(MAX_LIFETIME_DAYS).default(DEFAULT_LIFETIME_DAYS),
      hosts: z.array(HostName).nullable().default(null),
      operations: z.array(Operation).nullable().default(null),
    }),
    z.strictObject({ command: z.literal('list-tokens') }),
    z.strictObject({ command: z.literal('revoke-token'), name: TokenName }),
    z.strictObject({ command: z.literal('verify-audit') }),
  ]),
);
export type AdminCommand = z.infer<typeof AdminCommand>;

/** The result of a command. A token's text is only here. */
export type AdminAnswer =
  | { applied: readonly string[]; letIn: string | null }
  | { token: string }
  | { tokens: readonly TokenView[] }
  | { revoked: string }
  | { auditEntries: number; anchors: number | null; anchoredUpTo: number; unanchoredSince: string | null };

export interface AdminMeans {
  /** The login of the functions, which `migrate` enables. */
  functionsUrl: string | undefined;
  /** Reads the anchors of the audit trail; without them only the trail's own hash chain is verified. */
  readAnchors: (() => Promise<AnchorFindings>) | undefined;
}

/**
 * Runs a command with the rights of the schema's owner. Throws the store's errors, `unavailable` when the anchors can't be
 * read, and `corrupt` when the audit trail was changed.
 */
export async function runAdminCommand(
  db: Database,
  order: AdminCommand,
  { functionsUrl, readAnchors }: AdminMeans,
): Promise<AdminAnswer> {
  switch (order.command) {
    case 'migrate':
      return {
        applied: await migrate(db),
        letIn: functionsUrl === undefined ? null : await letFunctionsIn(db, functionsUrl),
      };
    case 'create-token':
      return { token: await createToken(db, order) };
    case 'list-tokens':
      return { tokens: await listTokens(db) };
    case 'revoke-token':
      await revokeToken(db, order.name);
      return { revoked: order.name };
    case 'verify-audit': {
      // The anchors are read first, so that an entry written meanwhile does not look missing.
      const found = await readAnchors?.();
      const verdict = await checkTrail(db, found ?? { anchors: [], faults: [] }, new Date());
      return trailAnswer(verdict, found !== undefined);
    }
  }
}

function trailAnswer(verdict: TrailVerdict, isAnchored: boolean): AdminAnswer {
  if (verdict.intact) {
    const { entries, anchors, anchoredUpTo, unanchoredSince } = verdict;
    return {
      auditEntries: entries,
      anchors: isAnchored ? anchors : null,
      anchoredUpTo,
      unanchoredSince: unanchoredSince?.toISOString() ?? null,
    };
  }
  throw new HttpFault('corrupt', `verify audit trail: ${verdict.fault}`, {
    hint: "Somebody with the rights of the database's owner changed the trail, or the database was made anew or restored. Keep the database and the anchors in the backup bucket as they are until you know which.",
    // A finding, not a failure of this function.
    status: 422,
  });
}
