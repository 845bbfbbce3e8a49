// Backups and their proofs.
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import type { Deps } from '../deps.ts';
import { limitParameter, parseQuery, type Route, type RouteContext } from '../http/route.ts';
import { appendAudit } from '../store/audit.ts';
import { requestVerification } from './request.ts';
import { findBackupView, listBackupViews } from './view.ts';

const BackupQuery = z.lazy(() => z.strictObject({ limit: limitParameter(50) }));

/** Backups, the newest first, and asking for one to be verified again. */
export function backupRoutes(deps: Pick<Deps, 'db' | 'clock' | 'publisher'>): Route[] {
  const list = async (context: RouteContext) => ({
    body: await listBackupViews(deps.db, parseQuery(context, BackupQuery).limit),
  });
  const verify = async ({ params, actor }: RouteContext) => {
    const id = params.id ?? '';
    await requestVerification(deps, id);
    const view = await findBackupView(deps.db, id);
    if (!view) throw new LamplighterError('not-found', `find backup ${id}: there is no such backup`);
    await deps.db.transaction((tx) =>
      appendAudit(tx, {
        at: deps.clock(),
        actor: `${actor.kind}:${actor.name}`,
        action: 'backup.verify',
        target: id,
        detail: {},
      }),
    );
    return { status: 202, body: view };
  };
  return [
    { method: 'GET', path: '/v1/backups', role: 'viewer', handle: list },
    { method: 'POST', path: '/v1/backups/:id/verify', role: 'responder', handle: verify },
  ];
}
