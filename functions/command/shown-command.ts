// A command as a role may see it: who may not ask for a journal does not get one that another person asked for.
import type { CommandView } from '#shared/api/views.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { serviceLogs } from '#shared/operations/service.ts';
import { isRoleAtLeast, type Role, roleNeededFor } from '#shared/role.ts';

/** The command without what the role may not see: results that it may not ask for, and lines of a failed service's journal. */
export function showCommand(command: CommandView, role: Role): CommandView {
  const definition = lookUpOperation(command.operation);
  // Whoever may see one read has the role for all reads of that kind; results of other operations are for every viewer.
  const maySeeResult = definition?.risk !== 'read' || isRoleAtLeast(role, roleNeededFor(definition));
  const maySeeOutput = isRoleAtLeast(role, roleNeededFor(serviceLogs));
  return {
    ...command,
    result: maySeeResult ? command.result : null,
    output: maySeeOutput ? command.output : [],
  };
}
