// Looking at everything now.
import type { Deps } from '../../deps.ts';
import type { Route } from '../route.ts';

/** The route that runs all checks. */
export function checkRoutes(deps: Pick<Deps, 'db' | 'clock' | 'publisher'>): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/checks/run',
      role: 'responder',
      async handle() {
        const { createRunDeps } = await import('../../watch/run-deps.ts');
        const { runChecksNow } = await import('../../watch/run-now.ts');
        return { body: await runChecksNow(createRunDeps(deps)) };
      },
    },
  ];
}
