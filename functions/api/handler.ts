// Entry point `api`: what people, `lamp` and webhooks call.

import { alertRoutes } from '../alert/routes.ts';
import { auditRoutes } from '../audit/routes.ts';
import { backupRoutes } from '../backup/routes.ts';
import { checkRoutes } from '../check/routes.ts';
import { commandRoutes, operationRoutes } from '../command/routes.ts';
import type { Deps } from '../deps.ts';
import { hostRoutes } from '../host/routes.ts';
import type { Handler } from '../http/answer.ts';
import type { Served } from '../http/route.ts';
import { createRouter } from '../http/router.ts';
import { incidentRoutes } from '../incident/routes.ts';
import { liveRoutes } from '../live/routes.ts';
import { runbookRoutes } from '../runbook/routes.ts';
import { statusRoutes } from '../status/routes.ts';
import { type CommandListener, createCommandListener } from '../store/listen.ts';
import { tokenRoutes } from '../token/routes.ts';
import { publicRoutes } from '../webhook/routes.ts';

/** Every route that needs a token. */
export function apiRoutes(deps: Deps, listener: CommandListener): Served[] {
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
