// What is allowed and most likely not meant.
import type { RunbookFault } from './fault.ts';
import type { Runbook } from './schema.ts';

/**
 * Debian's umbrella units: they start the instances that do the work and are `active (exited)` from then on, whatever
 * becomes of those.
 */
const UMBRELLAS: ReadonlyMap<string, string> = new Map([
  ['postgresql.service', 'postgresql@15-main.service'],
  ['openvpn.service', 'openvpn@NAME.service'],
  ['tor.service', 'tor@default.service'],
]);

/** Warnings of a valid runbook; they refuse nothing. */
export function* runbookWarnings(runbook: Runbook): Generator<RunbookFault> {
  for (const [name, { unit }] of Object.entries(runbook.services)) {
    const meant = UMBRELLAS.get(unit);
    if (meant === undefined) continue;
    const message = `on Debian and Ubuntu ${unit} is an umbrella that is always active`;
    const hint = `The unit that counts is one such as "${meant}": see systemctl list-units "${unit.replace('.service', '')}*".`;
    yield { path: ['services', name, 'unit'], message, hint };
  }
}
