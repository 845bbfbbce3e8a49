// What a misspelt name was meant to be, and which names there are: bounded, since both the name and the list may be hostile.
import { distance } from 'fastest-levenshtein';

/** Longer names are compared and shown by their beginning. */
const MAX_NAME_LENGTH = 64;
/** Of a longer list only the beginning is compared. */
const MAX_COMPARED = 1000;
const MAX_LISTED = 10;

/** The name as it is shown in a message. */
export function shortName(name: string): string {
  return name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH - 1)}…` : name;
}

/** The known name within two edits (or a third of its length) of a misspelt one, or undefined. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return undefined;
  const limit = Math.max(2, Math.floor(name.length / 3));
  let best: { name: string; edits: number } | undefined;
  for (const candidate of known.slice(0, MAX_COMPARED)) {
    if (Math.abs(candidate.length - name.length) > limit) continue;
    const edits = distance(name.toLowerCase(), candidate.toLowerCase());
    if (edits <= limit && (!best || edits < best.edits)) best = { name: candidate, edits };
  }
  return best?.name;
}

/** The names there are, for a hint: `web, intake and 3 more`, or `none`. */
export function listNames(known: readonly string[]): string {
  const shown = known.slice(0, MAX_LISTED).map(shortName).join(', ');
  if (known.length <= MAX_LISTED) return shown === '' ? 'none' : shown;
  return `${shown} and ${known.length - MAX_LISTED} more`;
}

/** `Did you mean "web"?`, or which names there are. */
export function hintOfNames(name: string, noun: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  return near === undefined ? `${noun}: ${listNames(known)}.` : `Did you mean "${near}"?`;
}
