// The catalogue of operations, with the JSON Schema of each one's parameters.
import * as z from 'zod';
import { ROUTES } from '#shared/api/routes.ts';
import type { OperationView } from '#shared/api/views.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { isOffered } from '#shared/operations/definition.ts';
import { roleNeededFor } from '#shared/role.ts';
import { type Served, serve } from '../http/route.ts';

function views(): OperationView[] {
  return CATALOGUE.filter(isOffered).map((definition) => ({
    name: definition.name,
    summary: definition.summary,
    risk: definition.risk,
    role: roleNeededFor(definition),
    params: { ...z.toJSONSchema(definition.params, { io: 'input', unrepresentable: 'any' }) },
  }));
}

/** The route of the catalogue: what may be asked for. */
export function operationRoutes(): Served[] {
  return [serve(ROUTES.listOperations, () => Promise.resolve(views()))];
}
