// Entry point `api`: what people, `lamp` and webhooks call.
import type { Deps } from '../deps.ts';
import type { Handler } from '../http.ts';
import { type CommandListener, createCommandListener } from '../store/listen.ts';
import { publicRoutes } from './public-routes.ts';
import type { Route } from './route.ts';
import { createRouter } from './router.ts';
import { alertRoutes } from './routes/alerts.ts';
import { auditRoutes } from './routes/audit.ts';
import { backupRoutes } from './routes/backups.ts';
import { checkRoutes } from './routes/checks.ts';
import { commandRoutes } from './routes/commands.ts';
import { hostRoutes } from './routes/hosts.ts';
import { incidentRoutes } from './routes/incidents.ts';
import { liveRoutes } from './routes/live.ts';
import { operationRoutes } from './routes/operations.ts';
import { runbookRoutes } from './routes/runbook.ts';
import { statusRoutes } from './routes/status.ts';
import { tokenRoutes } from './routes/tokens.ts';

/** Every route that needs a token. */
export function apiRoutes(deps: Deps, listener: CommandListener): Route[] {
  return [
    ...statusRoutes(deps),
    ...operationRoutes(),
    ...commandRoutes(deps, listener),
    ...runbookRoutes(deps),
    ...hostRoutes(deps),
    ...auditRoutes(deps),
    ...alertRoutes(deps),
    ...incidentRoutes(deps),
    ...checkRoutes(deps),
    ...backupRoutes(deps),
    ...liveRoutes(deps),
    ...tokenRoutes(deps),
  ];
}

/** The HTTP API. */
export function handleApi(deps: Deps, listener: CommandListener = createCommandListener(deps.db)): Handler {
  return createRouter(deps, apiRoutes(deps, listener), publicRoutes(deps));
}
