// Commands: ask for one, list them, follow one.
import * as z from 'zod';
import { CommandRequest } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import type { Deps } from '../deps.ts';
import { limitParameter, parseBody, parseQuery, type Route } from '../http/route.ts';
import { listCommands, toCommandView } from '../store/commands.ts';
import type { CommandListener } from '../store/listen.ts';
import { identifyCommand } from './identify.ts';
import { requestCommand } from './request.ts';
import { showCommand } from './shown-command.ts';
import { waitForNews } from './wait.ts';

const ListQuery = z.lazy(() => z.strictObject({ limit: limitParameter(50) }));
const DetailQuery = z.lazy(() =>
  z.strictObject({
    after: z.coerce.number().int().min(0).default(0),
    waitS: z.coerce.number().min(0).max(30).default(0),
  }),
);

function refuseInternal(operation: string): void {
  if (!lookUpOperation(operation)?.isInternal) return;
  throw new LamplighterError('not-allowed', `ask for ${operation}: only the control plane itself does`, {
    details: { denial: { subject: operation } },
  });
}

/** Routes of commands; what an operation takes is checked where it is asked for, so any token may try. */
export function commandRoutes(
  deps: Pick<Deps, 'db' | 'clock' | 'log' | 'signCommand'>,
  listener: CommandListener,
): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/commands',
      role: 'viewer',
      async handle(context) {
        const { idempotencyKey, ...order } = parseBody(context, CommandRequest);
        refuseInternal(order.operation);
        const body = await requestCommand(deps, {
          ...order,
          actor: context.actor,
          ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        });
        return { status: 202, body };
      },
    },
    {
      method: 'GET',
      path: '/v1/commands',
      role: 'viewer',
      async handle(context) {
        const { limit } = parseQuery(context, ListQuery);
        const commands = await listCommands(deps.db, limit);
        const { actor, scope } = context;
        return { body: commands.map((record) => showCommand(toCommandView(record), actor.role, scope)) };
      },
    },
    {
      method: 'GET',
      path: '/v1/commands/:id',
      role: 'viewer',
      async handle(context) {
        const id = await identifyCommand(deps.db, context.params.id ?? '');
        const { after, waitS } = parseQuery(context, DetailQuery);
        const terms = { after, waitMs: waitS * 1000, signal: context.signal };
        const detail = await waitForNews(deps, listener, id, terms);
        return {
          body: { ...detail, command: showCommand(detail.command, context.actor.role, context.scope) },
        };
      },
    },
  ];
}
