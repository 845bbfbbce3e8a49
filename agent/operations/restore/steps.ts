// The steps that fill the new database: restored by a role that is no superuser, counted, given to its owners.

import * as z from 'zod';
import { OperationFailure, withHint } from '#shared/command/operation-failure.ts';
import { LamplighterError } from '#shared/errors.ts';
import { withinReserves } from '../../host/disk-reserve.ts';
import { defineStep, type Step, type StepContext } from '../../runner/step.ts';
import { adviseOnRestore } from './advice.ts';
import { compareRows } from './count.ts';
import { fillDatabase, giveToOwners, openRestoration } from './fill.ts';
import { isUncheckedKey } from './joins.ts';
import { foundBy, type RestoreOptions } from './options.ts';
import { nameEntry, type Refused } from './refused.ts';
import { dropRestoreRoles } from './role.ts';

const RefusedEntry = z.object({ what: z.string(), why: z.string(), dumpId: z.int().optional() });
const Filled = z.object({
  refused: z.array(RefusedEntry),
  rowsByEntry: z.array(z.tuple([z.int(), z.int()])),
});
type Filled = z.infer<typeof Filled>;
const Compared = z.object({ rows: z.int(), refused: z.array(RefusedEntry) });
const Owned = z.object({ refused: z.array(RefusedEntry), leftOut: z.array(z.string()) });

/** Further ones are counted, not listed. */
const MAX_REFUSED = 50;

async function open(options: RestoreOptions, signal: AbortSignal) {
  const { cluster, names, spec, state } = options;
  const { dump, programs, standingOf } = foundBy(options);
  const place = { cluster, fresh: names.fresh, login: await state.login() };
  const filling = { ...place, dump, onRefused: spec.onRefused, programs, signal };
  return openRestoration(filling, standingOf);
}

function fillStep(options: RestoreOptions): Step<Filled> {
  const { names, spec } = options;
  return defineStep({
    name: 'restore-database',
    describe: () =>
      `zstd -d | pg_restore${spec.onRefused === 'stop' ? ' --exit-on-error' : ''} into ${names.fresh}, as a role that is no superuser; ANALYZE`,
    output: Filled,
    run: async (context) => {
      const fill = async (signal: AbortSignal) => fillDatabase(await open(options, signal), context.note);
      const { refused, decoded } = await withinReserves(options.state.reserves, context.signal, fill).catch(
        (error: unknown) => {
          throw advise(adviseOnRestore(error), options);
        },
      );
      const detail = `${decoded?.contentBytes ?? foundBy(options).dump.headBytes} bytes${tellRefused(refused)}`;
      return { data: { refused, rowsByEntry: decoded?.rowsByEntry ?? [] }, detail };
    },
    afterCrash: 'undo',
  });
}

/** Says what a person can choose when PostgreSQL refuses a part of a backup. */
function advise(error: unknown, { spec }: RestoreOptions): unknown {
  const isRefused = error instanceof LamplighterError && error.code === 'failed' && !error.hint;
  if (!isRefused || spec.onRefused === 'keep-going') return error;
  return withHint(
    error,
    'To restore all that PostgreSQL takes and be told what it refused: lamp restore --keep-going. The old database is kept in any case.',
  );
}

function tellRefused(refused: readonly Refused[]): string {
  return refused.length === 0 ? '' : `, ${refused.length} refused`;
}

function compareStep(options: RestoreOptions, fill: Step<Filled>) {
  const { names, spec } = options;
  return defineStep({
    name: 'check-rows',
    describe: () => `count the rows of every table in ${names.fresh} and hold them against the dump's`,
    output: Compared,
    run: async (context) => {
      const { filling } = await open(options, context.signal);
      const { refused, rowsByEntry } = context.outputOf(fill);
      const absent = absentTables(filling.dump.entries, refused);
      const { rows, wrong } = await compareRows(filling, new Map(rowsByEntry), absent);
      if (wrong.length > 0 && spec.onRefused === 'stop') {
        const message = `check ${names.fresh}: ${wrong.slice(0, 5).join('; ')}`;
        throw new OperationFailure('corrupt-backup', 'corrupt', message, {
          hint: 'Choose another backup (`lamp backups`), or restore the rows that there are: lamp restore --keep-going.',
        });
      }
      const less = wrong.map((why) => ({ what: 'rows', why }));
      return { data: { rows, refused: less }, detail: `${rows} rows${tellRefused(less)}` };
    },
    afterCrash: 'undo',
  });
}

/** Rows of a table that was itself refused: there is nothing to count. */
function absentTables(
  entries: readonly { dumpId: number; kind: string; dependsOn: number[] }[],
  refused: readonly Refused[],
): Set<number> {
  const missing = new Set(refused.flatMap(({ dumpId }) => (dumpId === undefined ? [] : [dumpId])));
  const gone = entries.filter(
    ({ dumpId, kind, dependsOn }) =>
      kind === 'TABLE DATA' && (missing.has(dumpId) || dependsOn.some((id) => missing.has(id))),
  );
  return new Set(gone.map(({ dumpId }) => dumpId));
}

function ownersStep(options: RestoreOptions, fill: Step<Filled>) {
  const { cluster, names } = options;
  return defineStep({
    // Records on disk and reports have this name.
    name: 'hand-over',
    describe: () =>
      `give everything in ${names.fresh} to its owners, with its rights; drop the roles of the restore`,
    output: Owned,
    run: async (context) => {
      const { refused: before } = context.outputOf(fill);
      // Materialized views are filled here.
      const [refused, { leftOut: absent, joins }] = await withinReserves(
        options.state.reserves,
        context.signal,
        async (signal) => {
          const restoration = await open(options, signal);
          return [await giveToOwners(restoration, before), restoration.plan] as const;
        },
      );
      await dropRestoreRoles(cluster);
      const unchecked = joins.toOrdinary
        .filter((key) => !isUncheckedKey(key))
        .map((key) => `the check of the rows by ${nameEntry(key)}`);
      const leftOut = [...absent.map(nameEntry), ...unchecked];
      return {
        data: { refused, leftOut },
        ...(leftOut.length > 0 ? { detail: `left out: ${leftOut.join(', ')}` } : {}),
      };
    },
    afterCrash: 'undo',
  });
}

/** The steps between the new database and the swap, in this order. */
export function fillSteps(options: RestoreOptions) {
  const fill = fillStep(options);
  return { fill, compare: compareStep(options, fill), owners: ownersStep(options, fill) };
}

/** What the result tells of them. */
export function readOutcome(
  { fill, compare, owners }: ReturnType<typeof fillSteps>,
  { outputOf }: StepContext,
) {
  const { rows, refused: less } = outputOf(compare);
  const { refused: late, leftOut } = outputOf(owners);
  const refused = [...outputOf(fill).refused, ...less, ...late];
  return {
    rows,
    refused: refused.slice(0, MAX_REFUSED).map(({ what, why }) => ({ what, why })),
    refusedInAll: refused.length,
    leftOut,
  };
}
