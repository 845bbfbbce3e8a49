// Looking an entry up by a name that came from outside. `record[name]` also finds what every object inherits
// (`constructor`, `__proto__`, `toString`); this finds only the record's own entries.

/** The record's own entry of this name, or undefined. */
export function lookUp<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
