// The quick look.
import type { Deps } from '../deps.ts';
import type { Route } from '../http/route.ts';

/** The route of the quick look. */
export function statusRoutes(deps: Pick<Deps, 'db' | 'clock'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/status',
      role: 'viewer',
      async handle({ actor, scope }) {
        const { readStatus } = await import('./status.ts');
        return { body: await readStatus(deps, actor.role, scope) };
      },
    },
  ];
}
