// The lease: the right to work on a row until a time, in the columns lease_holder and leased_until of the row's table. A
// holder that is killed loses the lease when the time is over. Writes under a lease name the holder, so that a holder that
// lost it changes nothing. The functions return parts of an SQL statement; their arguments are its placeholders.
import { randomUUID } from 'node:crypto';

export interface Lease {
  holder: string;
  now: Date;
  until: Date;
}

/** A lease with a new holder. */
export function newLease(now: Date, forMs: number): Lease {
  return { holder: randomUUID(), now, until: new Date(now.getTime() + forMs) };
}

/** The condition that the row is free at `at`; `row` is the table's alias with its dot. */
export function isFree(at: string, row = ''): string {
  return `(${row}leased_until IS NULL OR ${row}leased_until <= ${at})`;
}

/** The condition that this holder has the row, also after its time while nobody else has taken it. */
export function isHeldBy(holder: string, row = ''): string {
  return `${row}lease_holder = ${holder}`;
}

/** What an UPDATE sets to take the lease, or to keep it longer. */
export function taking(holder: string, until: string): string {
  return `lease_holder = ${holder}, leased_until = ${until}`;
}

/** What an UPDATE sets to give the lease back. */
export const GIVING_BACK = 'lease_holder = NULL, leased_until = NULL';
