// A ticket to follow a service's journal.
import { ROUTES } from '#shared/api/routes.ts';
import { serviceFollow } from '#shared/operations/logs.ts';
import { type RequestDeps, requestCommand } from '../command/request.ts';
import type { Deps } from '../deps.ts';
import { type Served, serve } from '../http/route.ts';
import { openLiveTicket } from './ticket.ts';

/** Routes of live logs. */
export function liveRoutes(deps: RequestDeps & Pick<Deps, 'config'>): Served[] {
  return [
    serve(ROUTES.followLogs, ({ body, actor }) => {
      const options = {
        db: deps.db,
        now: deps.clock,
        liveUrl: deps.config.get('LIVE_URL'),
        requestFollow: (params: Record<string, unknown>) =>
          requestCommand(deps, { operation: serviceFollow.name, params, actor, dryRun: false }),
      };
      return openLiveTicket(options, body, actor);
    }),
  ];
}
