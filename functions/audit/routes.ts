// The audit trail, newest first.
import { ROUTES } from '#shared/api/routes.ts';
import type { Deps } from '../deps.ts';
import { type Served, serve } from '../http/route.ts';
import { listAudit } from '../store/audit.ts';

/** Routes of the audit trail. */
export function auditRoutes({ db }: Pick<Deps, 'db'>): Served[] {
  return [serve(ROUTES.listAudit, ({ query }) => listAudit(db, query))];
}
