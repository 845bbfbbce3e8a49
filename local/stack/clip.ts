import { truncate } from '#cli/output/width.ts';

// oxlint-disable-next-line no-control-regex -- colours are what this looks for
const COLOUR = /(\u001b\[[0-9;]*m)/;

/** A coloured line cut to at most `columns` cells; its colours end where they would have. */
export function clipLine(line: string, columns: number): string {
  const parts = line.split(COLOUR);
  const isColour = (part: string): boolean => COLOUR.test(part);
  const plain = parts.filter((part) => !isColour(part)).join('');
  const kept = truncate(plain, columns);
  if (kept === plain) return line;
  let rest = kept;
  return parts
    .map((part) => {
      if (isColour(part)) return part;
      // The ellipsis stands where the text was cut, inside the part that did not fit.
      const shown = rest.startsWith(part) ? part : rest;
      rest = rest.slice(shown.length);
      return shown;
    })
    .join('');
}
