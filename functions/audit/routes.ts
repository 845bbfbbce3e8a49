// The audit trail, newest first.
import * as z from 'zod';
import type { Deps } from '../deps.ts';
import { limitParameter, parseQuery, type Route, type RouteContext } from '../http/route.ts';
import { listAudit } from '../store/audit.ts';

const AuditQuery = z.lazy(() =>
  z.strictObject({
    action: z.string().max(100).optional(),
    target: z.string().max(200).optional(),
    limit: limitParameter(100),
  }),
);

/** The trail under both of its addresses. */
export function auditRoutes(deps: Pick<Deps, 'db'>): Route[] {
  const handle = async (context: RouteContext) => ({
    body: await listAudit(deps.db, parseQuery(context, AuditQuery)),
  });
  return [
    { method: 'GET', path: '/v1/audit', role: 'operator', handle },
    { method: 'GET', path: '/api/monitoring/audit', role: 'operator', handle },
  ];
}
