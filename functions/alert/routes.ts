// Alerts and who was told of them.
import * as z from 'zod';
import type { Deps } from '../deps.ts';
import { limitParameter, parseQuery, type Route, type RouteContext } from '../http/route.ts';
import { listAlertViews } from './view.ts';

const AlertQuery = z.lazy(() =>
  z.strictObject({
    state: z.enum(['firing', 'resolved']).optional(),
    limit: limitParameter(100),
  }),
);

/** The alerts under both of their addresses, the newest first. */
export function alertRoutes({ db }: Pick<Deps, 'db'>): Route[] {
  const handle = async (context: RouteContext) => ({
    body: await listAlertViews(db, parseQuery(context, AlertQuery)),
  });
  return [
    { method: 'GET', path: '/v1/alerts', role: 'viewer', handle },
    { method: 'GET', path: '/api/monitoring/alerts', role: 'viewer', handle },
  ];
}
