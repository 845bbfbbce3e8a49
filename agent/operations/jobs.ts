// jobs.stuck and jobs.reset: rows of a table of jobs, seen and changed as a role that is no superuser.
import { setTimeout as sleep } from 'node:timers/promises';
import { LamplighterError } from '#shared/errors.ts';
import { lookUp } from '#shared/look-up.ts';
import { jobsReset, jobsStuck, MAX_JOBS, MAX_JOBS_OF_ALL } from '#shared/operations/jobs.ts';
import type { JobTable } from '#shared/policy/jobs.ts';
import type { Policy } from '#shared/policy/policy.ts';
import type { Cluster } from '../host/postgres.ts';
import type { Login } from '../host/sql-script.ts';
import { defineStep, type Probe, type Procedure, type Step } from '../runner/step.ts';
import { dropJobsRole, isAtWork, makeJobsRole, readResetMark, renewJobsLogin } from './jobs/role.ts';
import {
  type Fates,
  type JobsSession,
  listStuck,
  readFates,
  resetRows,
  restoreRows,
  type StuckRow,
  StuckRows,
} from './jobs/rows.ts';
import { checkTable } from './jobs/table.ts';
import { clusterOf } from './policy-database.ts';
import { defineProcedure, defineRootRead } from './twin.ts';

interface Place {
  name: string;
  entry: JobTable;
  cluster: Cluster;
}

function placeOf(policy: Policy, name: string): Place {
  const entry = lookUp(policy.jobs, name);
  if (!entry)
    throw new LamplighterError('refused', `look at jobs ${name}: the host's policy has no jobs of this name`);
  return { name, entry, cluster: clusterOf(policy, entry.database, `look at jobs ${name}`) };
}

function whereOf({ name, entry: { database, schema, table } }: Place) {
  return { jobs: name, database, table: `${schema}.${table}` };
}

/** Looks as the role, which is gone afterwards. */
async function lookOnce<T>(
  { entry, cluster }: Place,
  signal: AbortSignal,
  look: (session: JobsSession) => Promise<T>,
): Promise<T> {
  await checkTable(cluster, entry);
  try {
    return await look({ cluster, entry, login: await makeJobsRole(cluster, entry), signal });
  } finally {
    await dropJobsRole(cluster);
  }
}

/** What one process knows of a reset. */
interface State {
  login?: Login;
  /** Number of the transaction that did it. */
  mark?: string | undefined;
}

/**
 * The session of the reset. After the reset is committed, the role carries the mark of its transaction, so the role is kept and
 * only gets a new password.
 */
async function openSession(
  { entry, cluster }: Place,
  state: State,
  signal: AbortSignal,
): Promise<JobsSession> {
  if (!state.login) {
    state.mark ??= await readResetMark(cluster);
    await checkTable(cluster, entry);
    state.login =
      state.mark === undefined ? await makeJobsRole(cluster, entry) : await renewJobsLogin(cluster);
  }
  return { cluster, entry, login: state.login, signal };
}

const END_LOOKS = 50;
const END_LOOK_MS = 200;

/** Whether the transaction was committed. */
async function probeReset({ cluster }: Place, state: State): Promise<Probe> {
  for (let look = 0; look < END_LOOKS && (await isAtWork(cluster)); look += 1) await sleep(END_LOOK_MS);
  if (await isAtWork(cluster)) return 'cannot-tell';
  state.mark = await readResetMark(cluster);
  return state.mark === undefined ? 'not-done' : 'done';
}

function whyLeft({ version, status }: Fates[number], { version: planned }: StuckRow): string {
  if (version === null) return 'it is gone';
  if (version === planned) return 'the database kept it as it is: a trigger may do that';
  return `it was written since, and has the status ${status ?? 'NULL'}`;
}

function limitOf(all: boolean): number {
  return all ? MAX_JOBS_OF_ALL : MAX_JOBS;
}

function roleStep(place: Place, state: State): Step<undefined> {
  return defineStep({
    name: 'role',
    describe: () => `make a role for the table ${whereOf(place).table}, which is no superuser`,
    run: async () => {
      await checkTable(place.cluster, place.entry);
      state.login = await makeJobsRole(place.cluster, place.entry);
      return {};
    },
    undo: () => dropJobsRole(place.cluster),
    afterCrash: 'undo',
  });
}

function findStep(place: Place, state: State, all: boolean): Step<StuckRows> {
  const { entry } = place;
  return defineStep({
    name: 'find',
    describe: () =>
      `find rows that have been ${entry.stuckStatus} for ${entry.resetAfterMin} minutes, at most ${limitOf(all)}`,
    foresee: async ({ signal }) => {
      const { rows } = await lookOnce(place, signal, (session) =>
        listStuck(session, entry.resetAfterMin, limitOf(all)),
      );
      return rows.map(({ key, since }) => `${entry.key} ${key}, since ${since}`);
    },
    output: StuckRows,
    run: async ({ signal }) => {
      const session = await openSession(place, state, signal);
      return { data: await listStuck(session, entry.resetAfterMin, limitOf(all)) };
    },
    afterCrash: 'undo',
  });
}

function resetStep(place: Place, state: State, find: Step<StuckRows>): Step<undefined> {
  const { entry } = place;
  return defineStep({
    name: 'reset',
    describe: () =>
      `give them the status ${entry.resetTo}, in one transaction, unless somebody has written them since`,
    run: async ({ signal, outputOf }) => {
      const keys = await resetRows(await openSession(place, state, signal), outputOf(find).rows);
      state.mark = await readResetMark(place.cluster);
      return { detail: `${keys.length} rows` };
    },
    undo: async ({ signal, outputOf, hasEnded }) => {
      if (!hasEnded(find)) return;
      const mark = state.mark ?? (await readResetMark(place.cluster));
      if (mark === undefined) return;
      await restoreRows(await openSession(place, state, signal), outputOf(find).rows, mark);
    },
    afterCrash: 'ask',
    probe: () => probeReset(place, state),
  });
}

type Result = ReturnType<(typeof jobsReset)['result']['parse']>;

function lookStep(place: Place, state: State, find: Step<StuckRows>): Step<Result> {
  const { entry } = place;
  return defineStep<Result>({
    name: 'look',
    describe: () => 'see what became of each of them',
    output: jobsReset.result,
    run: async ({ signal, outputOf }) => {
      const { rows, more } = outputOf(find);
      const fates = await readFates(await openSession(place, state, signal), rows);
      const byKey = new Map(fates.map((fate) => [fate.key, fate]));
      const isReset = ({ key }: StuckRow): boolean =>
        state.mark !== undefined && byKey.get(key)?.version === state.mark;
      const left = rows.filter((row) => !isReset(row));
      const gone = { version: null, status: null };
      return {
        data: {
          ...whereOf(place),
          resetTo: entry.resetTo,
          reset: rows.filter(isReset).map(({ key, since }) => ({ key, since })),
          left: left.map((row) => ({
            key: row.key,
            why: whyLeft(byKey.get(row.key) ?? { key: row.key, ...gone }, row),
          })),
          more,
        },
      };
    },
    afterCrash: 'repeat',
  });
}

function planReset(place: Place, all: boolean): Procedure<Result> {
  const state: State = {};
  const find = findStep(place, state, all);
  const look = lookStep(place, state, find);
  const drop = defineStep({
    name: 'drop-role',
    describe: () => 'drop the role',
    run: async () => {
      await dropJobsRole(place.cluster);
      return {};
    },
    takesNothingBack: true,
    afterCrash: 'repeat',
  });
  return {
    steps: [roleStep(place, state), find, resetStep(place, state, find), look, drop],
    result: ({ outputOf }) => outputOf(look),
  };
}

export const twins = [
  defineRootRead(jobsStuck, async ({ jobs }, { policy, signal }) => {
    const place = placeOf(policy, jobs);
    const { stuckAfterMin } = place.entry;
    const { rows, more } = await lookOnce(place, signal, (session) =>
      listStuck(session, stuckAfterMin, MAX_JOBS),
    );
    const shown = rows.map(({ key, status, since, ageMs }) => ({ key, status, since, ageMs }));
    return { ...whereOf(place), afterMin: stuckAfterMin, rows: shown, more };
  }),
  defineProcedure(jobsReset, ({ jobs, all }, { policy }) => planReset(placeOf(policy, jobs), all)),
];
