// Names that people give, as segments of a path of the API.
import { LamplighterError } from '#shared/errors.ts';

/**
 * The name, escaped. Throws `invalid-input` on `.` and `..`, which are taken for steps in the path however they are escaped,
 * and on an empty one: the request would go to another path.
 */
export function pathSegment(name: string): string {
  if (name !== '' && name !== '.' && name !== '..') return encodeURIComponent(name);
  throw new LamplighterError('invalid-input', `ask API: "${name}" is not a name`);
}
