// The events of a command, numbered so that readers can follow: a reader who has seen a number has missed no lower one.
// Every function here needs the command's row locked (commands.ts, lockCommand).
import * as z from 'zod';
import { CommandEvent } from '#shared/api/views.ts';
import type { ProgressReport } from '#shared/command/report.ts';
import type { CommandState } from '#shared/command/state.ts';
import { type Queryable, queryRows } from './database.ts';
import { asStored } from './json.ts';

const NEXT_SEQ = '(SELECT coalesce(max(seq), 0) + 1 FROM command_events WHERE command_id = $1)';

/** Adds the event that a state was reached. */
export async function addStateEvent(
  tx: Queryable,
  id: string,
  event: { state: CommandState; at: Date; detail?: string | undefined },
): Promise<void> {
  await tx.query(
    `INSERT INTO command_events (command_id, seq, at, kind, state, detail)
     VALUES ($1, ${NEXT_SEQ}, $2, 'state', $3, $4) ON CONFLICT (command_id, state) WHERE kind = 'state' DO NOTHING`,
    [id, event.at, event.state, asStored(event.detail ?? null)],
  );
}

/** Most events of refusals for one command; the audit trail counts further ones. */
export const MAX_REFUSED_EVENTS = 20;

/** Adds the event that a host refused a message that claims to be this command. */
export async function addRefusedEvent(tx: Queryable, id: string, at: Date, detail: string): Promise<void> {
  await tx.query(
    `INSERT INTO command_events (command_id, seq, at, kind, detail)
     SELECT $1, ${NEXT_SEQ}, $2, 'refused', $3
     WHERE (SELECT count(*) FROM command_events WHERE command_id = $1 AND kind = 'refused') < $4`,
    [id, at, asStored(detail), MAX_REFUSED_EVENTS],
  );
}

/** Stores a step's event once; readers see it after releaseSteps. False when the event is already stored. */
export async function addStepEvent(tx: Queryable, report: ProgressReport): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO command_events (command_id, step_seq, at, kind, step, phase, ok, detail)
     VALUES ($1, $2, $3, 'step', $4, $5, $6, $7)
     ON CONFLICT (command_id, step_seq) WHERE step_seq IS NOT NULL DO NOTHING`,
    [
      report.commandId,
      report.seq,
      report.at,
      asStored(report.step),
      report.phase,
      report.ok ?? null,
      asStored(report.detail ?? null),
    ],
  );
  return rowCount > 0;
}

/**
 * Numbers stored steps: those that follow the last numbered step without a gap or, when the command is settled and no
 * earlier step will come, all of them.
 */
export async function releaseSteps(tx: Queryable, id: string, isSettled: boolean): Promise<void> {
  await tx.query(
    `WITH last AS (
       SELECT coalesce(max(seq), 0) AS seq, coalesce(max(step_seq) FILTER (WHERE seq IS NOT NULL), 0) AS step_seq
       FROM command_events WHERE command_id = $1
     ), waiting AS (
       SELECT step_seq, row_number() OVER (ORDER BY step_seq) AS place
       FROM command_events WHERE command_id = $1 AND seq IS NULL
     )
     UPDATE command_events SET seq = last.seq + waiting.place
     FROM last, waiting
     WHERE command_id = $1 AND command_events.step_seq = waiting.step_seq
       AND ($2 OR waiting.step_seq = last.step_seq + waiting.place)`,
    [id, isSettled],
  );
}

const EventRow = z.lazy(() =>
  z
    .object({
      seq: z.number(),
      at: z.date().transform((at) => at.toISOString()),
      kind: z.string(),
      state: z.string().nullable(),
      step: z.string().nullable(),
      phase: z.string().nullable(),
      ok: z.boolean().nullable(),
      detail: z.string().nullable(),
    })
    .transform((row) =>
      CommandEvent.parse(Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))),
    ),
);

/** Events after a number, in order. */
export async function listCommandEvents(db: Queryable, id: string, after: number): Promise<CommandEvent[]> {
  return await queryRows(
    db,
    EventRow,
    `SELECT seq, at, kind, state, step, phase, ok, detail FROM command_events
     WHERE command_id = $1 AND seq > $2 ORDER BY seq LIMIT 1000`,
    [id, after],
  );
}
