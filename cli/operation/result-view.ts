// What a view of a result is: one for each family of operations, found by the operation's name in table.ts.
import type * as z from 'zod';
import type { CommandView } from '#shared/api/views.ts';
import type { ViewContext } from '../views/context.ts';
import { renderFields } from './fields.ts';

/** Lines that show a result; undefined when it does not have the form that this lamp knows. */
export type ResultView = (command: CommandView, context: ViewContext) => string | undefined;

/**
 * A view of results of this form. `shown` names the fields that `render` shows; every other field follows as `key: value`,
 * so that nothing a newer operation returns is lost.
 */
export function viewOf<T extends z.ZodType<object>>(
  schema: T,
  shown: readonly (keyof z.infer<T> & string)[],
  render: (result: z.infer<T>, command: CommandView, context: ViewContext) => string,
): ResultView {
  return (command, context) => {
    const parsed = schema.safeParse(command.result);
    if (!parsed.success) return undefined;
    const hidden = Object.entries(parsed.data).filter(([key]) => !shown.some((name) => name === key));
    return render(parsed.data, command, context) + renderFields(Object.fromEntries(hidden));
  };
}
