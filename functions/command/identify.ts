// Which command a person means who gives a part of its id.
import { LamplighterError } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import { findCommandIds } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';

/** A part of an id: enough of it that a slip of the fingers hardly names another command. */
const PART = /^[0-9a-f-]{4,36}$/;
const MOST_LISTED = 5;

/**
 * The id of the command whose id this is, begins with or ends with. Throws `not-found`, or `invalid-input` that lists
 * those it may mean.
 */
export async function identifyCommand(db: Queryable, given: string): Promise<CommandId> {
  const word = given.toLowerCase();
  const whole = CommandId.safeParse(word);
  if (whole.success) return whole.data;
  if (!PART.test(word)) {
    throw new LamplighterError('invalid-input', `find command ${given}: this is no part of a command's id`, {
      hint: 'Give four or more characters of its beginning or its end; `lamp commands` lists them.',
    });
  }
  const found = await findCommandIds(db, word, MOST_LISTED + 1);
  const [only, ...others] = found;
  if (only === undefined) {
    throw new LamplighterError('not-found', `find command ${given}: there is no such command`, {
      hint: '`lamp commands` lists the last ones.',
    });
  }
  if (others.length === 0) return only;
  const listed = found.slice(0, MOST_LISTED).join(', ');
  const more = found.length > MOST_LISTED ? ', and more' : '';
  throw new LamplighterError('invalid-input', `find command ${given}: several ids begin or end with this`, {
    hint: `One of ${listed}${more}.`,
  });
}
