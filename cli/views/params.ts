// The order in which a command's parameters are shown: the store keeps none.

/** Parameters that name what a command is about. */
const SUBJECTS = new Set(['service', 'backup', 'host']);

/** What the command is about first. */
export function orderParams(params: Record<string, unknown>): [string, unknown][] {
  const isDetail = ([key]: [string, unknown]): number => Number(!SUBJECTS.has(key));
  return Object.entries(params).toSorted((a, b) => isDetail(a) - isDetail(b));
}
