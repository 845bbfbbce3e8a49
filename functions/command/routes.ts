// Commands: ask for one, list them, follow one; and the catalogue of operations that can be asked for.
import * as z from 'zod';
import { ROUTES } from '#shared/api/routes.ts';
import type { OperationView } from '#shared/api/views.ts';
import { CATALOGUE, lookUpOperation } from '#shared/operations/catalogue.ts';
import { isOffered } from '#shared/operations/definition.ts';
import { roleNeededFor } from '#shared/role.ts';
import type { Deps } from '../deps.ts';
import { HttpFault } from '../http/fault.ts';
import { type Served, serve } from '../http/route.ts';
import { listCommands, toCommandView } from '../store/commands.ts';
import type { CommandListener } from '../store/listen.ts';
import { cancelCommand } from './cancel.ts';
import { identifyCommand } from './identify.ts';
import { requestCommand } from './request.ts';
import { showCommand } from './shown-command.ts';
import { waitForNews } from './wait.ts';

function refuseInternal(operation: string): void {
  const definition = lookUpOperation(operation);
  if (!definition || isOffered(definition)) return;
  throw new HttpFault('not-allowed', `ask for ${operation}: only the control plane is allowed to`, {
    denial: { subject: operation },
  });
}

/** Routes of commands. */
export function commandRoutes(
  deps: Pick<Deps, 'db' | 'clock' | 'log' | 'signCommand'>,
  listener: CommandListener,
): Served[] {
  return [
    serve(ROUTES.requestCommand, async ({ body: { idempotencyKey, ...order }, actor }) => {
      refuseInternal(order.operation);
      return await requestCommand(deps, {
        ...order,
        actor,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      });
    }),
    serve(ROUTES.cancelCommand, async ({ params, actor, scope }) => {
      const id = await identifyCommand(deps.db, params.id);
      return await cancelCommand(deps, { id, actor, standing: { ...scope, role: actor.role } });
    }),
    serve(ROUTES.listCommands, async ({ query, actor, scope }) => {
      const commands = await listCommands(deps.db, query.limit);
      return commands.map((record) => showCommand(toCommandView(record), actor.role, scope));
    }),
    serve(ROUTES.readCommand, async ({ params, query: { after, waitS }, signal, actor, scope }) => {
      const id = await identifyCommand(deps.db, params.id);
      const detail = await waitForNews(deps, listener, id, { after, waitMs: waitS * 1000, signal });
      return { ...detail, command: showCommand(detail.command, actor.role, scope) };
    }),
  ];
}

function operationViews(): OperationView[] {
  return CATALOGUE.filter(isOffered).map((definition) => ({
    name: definition.name,
    summary: definition.summary,
    risk: definition.risk,
    role: roleNeededFor(definition),
    params: { ...z.toJSONSchema(definition.params, { io: 'input', unrepresentable: 'any' }) },
  }));
}

/** The route of the catalogue: the operations that can be asked for, with the JSON Schema of their parameters. */
export function operationRoutes(): Served[] {
  return [serve(ROUTES.listOperations, () => Promise.resolve(operationViews()))];
}
