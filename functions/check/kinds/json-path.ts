// Whether a JSON body has a value at a path of the runbook.

/** True when the value is there and not null. Only own keys of objects and elements of arrays count. */
export function hasValueAt(value: unknown, steps: readonly (string | number)[]): boolean {
  let current = value;
  for (const step of steps) {
    if (typeof current !== 'object' || current === null) return false;
    if (typeof step === 'number' && !Array.isArray(current)) return false;
    const entry = Object.getOwnPropertyDescriptor(current, step);
    if (!entry) return false;
    current = entry.value;
  }
  return current !== null && current !== undefined;
}
