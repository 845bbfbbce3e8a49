// What people call an incident: `INC-12`.
import { LamplighterError } from '#shared/errors.ts';

export function incidentName(number: number): string {
  return `INC-${number}`;
}

/** The number in a name; the bare number and any case will do. Throws `invalid-input`. */
export function parseIncidentName(name: string): number {
  const digits = /^(?:inc-)?([1-9]\d{0,8})$/i.exec(name)?.[1];
  if (digits !== undefined) return Number(digits);
  throw new LamplighterError('invalid-input', 'read incident: not the name of one', {
    hint: 'An incident is called INC-12, or just 12.',
  });
}
