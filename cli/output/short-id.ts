// Short forms of ids. Their beginnings are times and look alike; their ends are random. lamp and the API take either.

const COMMAND_TAIL = 8;

/** The end of a command's or a backup's id, as people type it. */
export function shortId(id: string): string {
  const tail = id.slice(id.lastIndexOf('-') + 1);
  return tail.slice(-COMMAND_TAIL);
}

/** Short forms of ids that are shown together, by id; whole where a short one would name several of them. */
export function shortIds(ids: readonly string[]): Map<string, string> {
  const whole = [...new Set(ids)];
  const isUnique = (short: string): boolean => whole.filter((id) => id.endsWith(short)).length === 1;
  return new Map(
    whole.map((id) => {
      const short = shortId(id);
      return [id, isUnique(short) ? short : id];
    }),
  );
}

/** True when `part` is the id, its beginning or its end, or the beginning of its short form. */
export function isPartOfId(id: string, part: string): boolean {
  return id.startsWith(part) || id.endsWith(part) || shortId(id).startsWith(part);
}
