// What people call an incident: `INC-12`.
import { LamplighterError } from '#shared/errors.ts';

export function incidentName(number: number): string {
  return `INC-${number}`;
}

/** The number in a name; the bare number is taken too, and upper and lower case. Throws `invalid-input`. */
export function parseIncidentName(name: string): number {
  const digits = /^(?:inc-)?([1-9]\d{0,8})$/i.exec(name)?.[1];
  if (digits !== undefined) return Number(digits);
  throw new LamplighterError('invalid-input', 'read incident: the name must look like INC-12', {
    hint: '`lamp incidents` lists the names; the bare number also works.',
  });
}
