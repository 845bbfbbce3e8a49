// Reads the runbook, checks a new one, and applies it.

import { createHash } from 'node:crypto';
import { ROUTES } from '#shared/api/routes.ts';
import type { Actor } from '#shared/command/envelope.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import type { RunbookError } from '#shared/runbook/parse.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import type { Deps } from '../deps.ts';
import { HttpFault } from '../http/fault.ts';
import { type Served, serve } from '../http/route.ts';
import { appendAudit } from '../store/audit.ts';
import { writeDocument } from '../store/runbook-document.ts';
import { insertRunbook, requireRunbook, toRunbookView } from '../store/runbooks.ts';

interface CheckedRunbook {
  text: string;
  runbook: Runbook;
  /** The parsed YAML. */
  document: unknown;
  warnings: RunbookError[];
}

/** A valid runbook. Throws `refused` (422) with every fault. */
async function checkText(text: string): Promise<CheckedRunbook> {
  // Loaded here, since most requests do not need YAML and the rules.
  const { parseRunbook } = await import('#shared/runbook/parse.ts');
  const outcome = parseRunbook(text, CATALOGUE);
  if (outcome.ok && !text.includes('\0')) return { text, ...outcome };
  const errors = outcome.ok ? [] : outcome.errors;
  const count = errors.length === 1 ? '1 fault' : `${errors.length} faults`;
  throw new HttpFault('refused', `read runbook: ${count}`, {
    hint: 'Each fault is named with its line and column; nothing was applied.',
    errors,
  });
}

async function apply(deps: Pick<Deps, 'db' | 'clock'>, { text, ...outcome }: CheckedRunbook, actor: Actor) {
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
export function runbookRoutes(deps: Pick<Deps, 'db' | 'clock'>): Served[] {
  return [
    serve(ROUTES.readRunbook, async () => toRunbookView(await requireRunbook(deps.db))),
    serve(ROUTES.downloadRunbook, async () => (await requireRunbook(deps.db)).text),
    serve(ROUTES.applyRunbook, async ({ query, body, actor, requireRole }) => {
      const isDryRun = query.dryRun === '1';
      if (!isDryRun) requireRole('admin', 'apply runbook');
      const checked = await checkText(body);
      return isDryRun
        ? { valid: true as const, warnings: checked.warnings }
        : await apply(deps, checked, actor);
    }),
  ];
}
