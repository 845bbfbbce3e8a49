// The runbook: read it, check one, put one in force.
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { parseRunbook, type RunbookError } from '#shared/runbook/parse.ts';
import type { Deps } from '../../deps.ts';
import { appendAudit } from '../../store/audit.ts';
import { insertRunbook, requireRunbook, toRunbookView } from '../../store/runbooks.ts';
import { parseQuery, type Route, type RouteContext } from '../route.ts';

const PutQuery = z.lazy(() => z.strictObject({ dryRun: z.enum(['0', '1']).default('0') }));

/** A valid runbook's text and warnings. Throws `refused` (422) with every fault. */
function checkText(body: Buffer): { text: string; warnings: RunbookError[] } {
  const text = body.toString('utf8');
  const outcome = parseRunbook(text, CATALOGUE);
  if (outcome.ok && !text.includes('\0')) return { text, warnings: outcome.warnings };
  const errors = outcome.ok ? [] : outcome.errors;
  const count = errors.length === 1 ? '1 fault' : `${errors.length} faults`;
  throw new LamplighterError('refused', `read runbook: ${count}`, {
    hint: 'Each fault is named with its line and column; nothing was applied.',
    details: { errors },
  });
}

async function apply(deps: Pick<Deps, 'db' | 'clock'>, text: string, { actor }: RouteContext) {
  const entry = { text, appliedAt: deps.clock(), appliedBy: actor.name };
  await deps.db.transaction(async (tx) => {
    const { version, isNew } = await insertRunbook(tx, entry);
    if (!isNew) return;
    const sha256 = createHash('sha256').update(text).digest('hex');
    await appendAudit(tx, {
      at: entry.appliedAt,
      actor: `${actor.kind}:${actor.name}`,
      action: 'runbook.applied',
      target: `version ${version}`,
      detail: { version, sha256 },
    });
  });
  return toRunbookView(await requireRunbook(deps.db));
}

/** Routes of the runbook. */
export function runbookRoutes(deps: Pick<Deps, 'db' | 'clock'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/runbook',
      role: 'viewer',
      handle: async () => ({ body: toRunbookView(await requireRunbook(deps.db)) }),
    },
    {
      method: 'PUT',
      path: '/v1/runbook',
      // Checking one is reading; only putting it in force takes more.
      role: 'viewer',
      async handle(context) {
        const isDryRun = parseQuery(context, PutQuery).dryRun === '1';
        if (!isDryRun) context.requireRole('admin', 'apply runbook');
        const { text, warnings } = checkText(context.body);
        return { body: isDryRun ? { valid: true, warnings } : await apply(deps, text, context) };
      },
    },
  ];
}
