// Finds the command that a part of an id belongs to.
import { LamplighterError } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import { findCommandIds } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';

/** Long enough that a typing error hardly ever names another command. */
const PART = /^[0-9a-f-]{4,36}$/;
const MOST_LISTED = 5;

/**
 * The id of the command whose id equals, begins with or ends with `given`. Throws `not-found`, or `invalid-input` with the
 * ids that match when there are several.
 */
export async function identifyCommand(db: Queryable, given: string): Promise<CommandId> {
  const word = given.toLowerCase();
  const whole = CommandId.safeParse(word);
  if (whole.success) return whole.data;
  if (!PART.test(word)) {
    throw new LamplighterError('invalid-input', `find command ${given}: not a part of a command's id`, {
      hint: 'Give at least four characters of the beginning or the end of the id. `lamp commands` lists commands.',
    });
  }
  const found = await findCommandIds(db, word, MOST_LISTED + 1);
  const [only, ...others] = found;
  if (only === undefined) {
    throw new LamplighterError('not-found', `find command ${given}: there is no such command`, {
      hint: '`lamp commands` lists the newest commands.',
    });
  }
  if (others.length === 0) return only;
  const listed = found.slice(0, MOST_LISTED).join(', ');
  const more = found.length > MOST_LISTED ? ', and more' : '';
  throw new LamplighterError('invalid-input', `find command ${given}: several ids begin or end with this`, {
    hint: `One of ${listed}${more}.`,
  });
}
