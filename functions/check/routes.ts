// Looking at everything now.
import type { Deps } from '../deps.ts';
import type { Route } from '../http/route.ts';
import { appendAudit } from '../store/audit.ts';

/** The route that runs all checks. */
export function checkRoutes(deps: Pick<Deps, 'db' | 'clock' | 'publisher'>): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/checks/run',
      role: 'responder',
      async handle({ actor }) {
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
        return { body: await runChecksNow(createRunDeps(deps)) };
      },
    },
  ];
}
