// The lease: the right to work on a row until a time, in the columns lease_holder and leased_until of the row's table. Who
// was killed loses it when the time is over; what is written under a lease names its holder, so that a holder who lost it
// changes nothing. The functions give SQL for one statement; their arguments are its placeholders.
import { randomUUID } from 'node:crypto';

export interface Lease {
  holder: string;
  now: Date;
  until: Date;
}

/** A lease of somebody new. */
export function newLease(now: Date, forMs: number): Lease {
  return { holder: randomUUID(), now, until: new Date(now.getTime() + forMs) };
}

/** The condition that nobody holds the row at `at`; `row` is the table's alias with its dot. */
export function isFree(at: string, row = ''): string {
  return `(${row}leased_until IS NULL OR ${row}leased_until <= ${at})`;
}

/** The condition that this holder still has the row, also past its time while nobody else took it. */
export function isHeldBy(holder: string, row = ''): string {
  return `${row}lease_holder = ${holder}`;
}

/** What an UPDATE sets to take the lease, or to keep it longer. */
export function taking(holder: string, until: string): string {
  return `lease_holder = ${holder}, leased_until = ${until}`;
}

/** What an UPDATE sets to give the lease back. */
export const GIVING_BACK = 'lease_holder = NULL, leased_until = NULL';
