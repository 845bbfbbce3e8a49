// JSON for PostgreSQL, whose text can't hold NUL or half a surrogate pair, which JSON from outside may contain.

function storableText(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\ufffd') : value;
}

/** JSON text for a `json` or `jsonb` column. */
export function toJson(value: unknown): string {
  return JSON.stringify(value ?? null, storableText);
}

/** The value as PostgreSQL will return it. */
export function asStored<T>(value: T): T {
  return JSON.parse(toJson(value)) as T;
}

/** JSON text with sorted keys, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
