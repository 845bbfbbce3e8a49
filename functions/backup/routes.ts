// Routes of backups and their proofs.
import { ROUTES } from '#shared/api/routes.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { Deps } from '../deps.ts';
import { type Served, serve } from '../http/route.ts';
import { appendAudit } from '../store/audit.ts';
import { requestVerification } from './request.ts';
import { findBackupView, listBackupViews } from './view.ts';

/** Lists backups, shows one, and verifies one again. */
export function backupRoutes(deps: Pick<Deps, 'db' | 'clock' | 'publisher'>): Served[] {
  return [
    serve(ROUTES.listBackups, ({ query }) => listBackupViews(deps.db, query.limit)),
    serve(ROUTES.verifyBackup, async ({ params: { id }, actor }) => {
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
      return view;
    }),
  ];
}
