// The runbook: read it, check one, put one in force.
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import type { RunbookError } from '#shared/runbook/parse.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import type { Deps } from '../deps.ts';
import { parseQuery, type Route, type RouteContext } from '../http/route.ts';
import { appendAudit } from '../store/audit.ts';
import { writeDocument } from '../store/runbook-document.ts';
import { insertRunbook, requireRunbook, toRunbookView } from '../store/runbooks.ts';

const PutQuery = z.lazy(() => z.strictObject({ dryRun: z.enum(['0', '1']).default('0') }));

interface CheckedRunbook {
  text: string;
  runbook: Runbook;
  /** What YAML read. */
  document: unknown;
  warnings: RunbookError[];
}

/** A valid runbook. Throws `refused` (422) with every fault. */
async function checkText(body: Buffer): Promise<CheckedRunbook> {
  // YAML and all rules, which most requests have no use for.
  const { parseRunbook } = await import('#shared/runbook/parse.ts');
  const text = body.toString('utf8');
  const outcome = parseRunbook(text, CATALOGUE);
  if (outcome.ok && !text.includes('\0')) return { text, ...outcome };
  const errors = outcome.ok ? [] : outcome.errors;
  const count = errors.length === 1 ? '1 fault' : `${errors.length} faults`;
  throw new LamplighterError('refused', `read runbook: ${count}`, {
    hint: 'Each fault is named with its line and column; nothing was applied.',
    details: { errors },
  });
}

async function apply(
  deps: Pick<Deps, 'db' | 'clock'>,
  { text, ...outcome }: CheckedRunbook,
  { actor }: RouteContext,
) {
  const entry = { text, document: writeDocument(outcome), appliedAt: deps.clock(), appliedBy: actor.name };
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
        const checked = await checkText(context.body);
        if (isDryRun) return { body: { valid: true, warnings: checked.warnings } };
        return { body: await apply(deps, checked, context) };
      },
    },
  ];
}
