// The route of `lamp status`.
import { ROUTES } from '#shared/api/routes.ts';
import type { Deps } from '../deps.ts';
import { type Served, serve } from '../http/route.ts';

/** The route of the status. */
export function statusRoutes(deps: Pick<Deps, 'db' | 'clock'>): Served[] {
  return [
    serve(ROUTES.readStatus, async ({ actor, scope }) => {
      const { readStatus } = await import('./status.ts');
      return await readStatus(deps, actor.role, scope);
    }),
  ];
}
