// What every view gets, and how a verb prints a list: as a table or as JSON.
import { EXIT } from './exit.ts';
import { toJsonText } from './output/json.ts';
import type { Palette } from './output/style.ts';
import type { Session } from './verb.ts';

/** What a view needs, of this session and this moment. */
export function viewContext({ io, paint }: Session): ViewContext {
  return { paint, width: io.columns(), nowMs: io.nowMs() };
}

/** Prints a list, or `emptyText` when there is nothing in it. */
export function printList<T>(
  session: Session,
  items: T[],
  render: (items: T[], context: ViewContext) => string,
  emptyText: string,
): number {
  if (session.isJson) session.io.out(toJsonText(items));
  else session.io.out(items.length > 0 ? render(items, viewContext(session)) : `${emptyText}\n`);
  return EXIT.done;
}

/** What a view needs besides its data. */
export interface ViewContext {
  paint: Palette;
  width: number;
  nowMs: number;
}
