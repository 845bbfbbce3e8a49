// Runs all checks now.
import { ROUTES } from '#shared/api/routes.ts';
import type { Deps } from '../deps.ts';
import { type Served, serve } from '../http/route.ts';
import { appendAudit } from '../store/audit.ts';

/** The route that runs all checks. */
export function checkRoutes(deps: Pick<Deps, 'db' | 'clock' | 'publisher'>): Served[] {
  return [
    serve(ROUTES.runChecks, async ({ actor }) => {
      const { createRunDeps } = await import('./run-deps.ts');
      const { runChecksNow } = await import('./run-now.ts');
      await deps.db.transaction((tx) =>
        appendAudit(tx, {
          at: deps.clock(),
          actor: `${actor.kind}:${actor.name}`,
          action: 'checks.run',
          target: null,
          detail: {},
        }),
      );
      return await runChecksNow(createRunDeps(deps));
    }),
  ];
}
