// When a scheduled job is due: pure arithmetic over cron expressions in a host's time zone.
import { Cron } from 'croner';

/**
 * The latest scheduled time at or before `now` and after `after`, or undefined when none fell due. Gaps are caught up
 * once: of several missed times only the last counts. Daylight saving: a time that the clocks skip runs right after
 * the gap; one that comes twice runs once.
 */
export function latestOccurrence(cron: string, timezone: string, after: Date, now: Date): Date | undefined {
  const schedule = new Cron(cron, { timezone, paused: true, mode: '5-part' });
  // `previousRuns` looks strictly before its reference: one millisecond later includes `now` itself.
  const latest = schedule.previousRuns(1, new Date(now.getTime() + 1))[0];
  return latest && latest > after && latest <= now ? latest : undefined;
}

/** The first scheduled time strictly after `now`. */
export function nextOccurrence(cron: string, timezone: string, now: Date): Date | undefined {
  return new Cron(cron, { timezone, paused: true, mode: '5-part' }).nextRun(now) ?? undefined;
}
