// The order in which units are started at boot.
import { listedUnits, type UnitFile } from './unit-file.ts';

/** Names so that each comes after those that its After= lists and before those that its Before= lists. */
export function orderUnits(files: ReadonlyMap<string, UnitFile>): string[] {
  const names = [...files.keys()];
  const listed = (name: string, key: string): string[] => {
    const file = files.get(name);
    return file ? listedUnits(file, key) : [];
  };
  const ordered: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(name) || !files.has(name)) return;
    seen.add(name);
    listed(name, 'Unit.After').forEach(visit);
    names.filter((other) => listed(other, 'Unit.Before').includes(name)).forEach(visit);
    ordered.push(name);
  };
  names.forEach(visit);
  return ordered;
}
