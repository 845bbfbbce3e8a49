// Alerts and who was told of them.
import { ROUTES } from '#shared/api/routes.ts';
import type { Deps } from '../deps.ts';
import { type Served, serve } from '../http/route.ts';
import { listAlertViews } from './view.ts';

/** Routes of alerts. */
export function alertRoutes({ db }: Pick<Deps, 'db'>): Served[] {
  return [serve(ROUTES.listAlerts, ({ query }) => listAlertViews(db, query))];
}
