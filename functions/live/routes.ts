// POST /v1/live: a ticket to follow a service's journal.
import { LiveRequest } from '#shared/live/frames.ts';
import { serviceFollow } from '#shared/operations/service.ts';
import { roleNeededFor } from '#shared/role.ts';
import { type RequestDeps, requestCommand } from '../command/request.ts';
import type { Deps } from '../deps.ts';
import { parseBody, type Route } from '../http/route.ts';
import { openLiveTicket } from './ticket.ts';

/** Routes of live logs. */
export function liveRoutes(deps: RequestDeps & Pick<Deps, 'config'>): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/live',
      role: roleNeededFor(serviceFollow),
      isScopeChecked: true,
      async handle(context) {
        const request = parseBody(context, LiveRequest);
        const terms = {
          db: deps.db,
          now: deps.clock,
          liveUrl: deps.config.get('LIVE_URL'),
          requestFollow: (params: Record<string, unknown>) =>
            requestCommand(deps, {
              operation: 'service.follow',
              params,
              actor: context.actor,
              dryRun: false,
            }),
        };
        return { status: 201, body: await openLiveTicket(terms, request, context.actor) };
      },
    },
  ];
}
