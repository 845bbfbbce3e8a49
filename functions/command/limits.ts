// How many commands an actor can ask for, and a host can have. The store counts, so the limits hold over all instances and
// all ways in (API, webhooks, live logs). Called in the transaction that inserts the command.
import type { Actor } from '#shared/command/envelope.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import { tooMany } from '../http/too-many.ts';
import { countOpenCommands, lockLimits, nthNewestRequest } from '../store/command-limits.ts';
import type { NewCommand } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';

/** Commands that one token or webhook is allowed to ask for in a minute. */
export const MAX_COMMANDS_PER_ACTOR_MINUTE = 120;
/** Reads that may be under way on a host at once: an agent runs as many. */
export const MAX_OPEN_READS_PER_HOST = 8;
/** Live logs that may be followed on a host at once. */
export const MAX_OPEN_FOLLOWS_PER_HOST = 8;

const MINUTE_MS = 60_000;
/** Most reads have ended by then. */
const READ_RETRY_S = 5;
/** Reads that end by themselves, and those that go on until somebody ends them. */
const READS = CATALOGUE.filter(({ risk, isStream }) => risk === 'read' && !isStream).map(({ name }) => name);
const STREAMS = CATALOGUE.filter(({ isStream }) => isStream).map(({ name }) => name);

/** What the control plane asks for by itself is limited where it comes from. */
function isLimited({ kind }: Actor): boolean {
  return kind === 'token' || kind === 'webhook';
}

/** Takes the locks that make the counts exact; before the command is inserted. */
export async function lockForLimits(tx: Queryable, { actor, host }: NewCommand): Promise<void> {
  if (isLimited(actor)) await lockLimits(tx, actor, host);
}

/** Throws `busy` (429) when the command that was just inserted is one too many. */
export async function checkLimits(
  tx: Queryable,
  { actor, host, requestedAt }: NewCommand,
  { name, risk, isStream = false }: OperationDefinition,
): Promise<void> {
  if (!isLimited(actor)) return;
  const before = await nthNewestRequest(tx, actor, MAX_COMMANDS_PER_ACTOR_MINUTE + 1, requestedAt);
  const freeInMs = before ? before.getTime() + MINUTE_MS - requestedAt.getTime() : 0;
  if (freeInMs > 0) {
    throw tooMany(
      `ask for ${name}: ${actor.kind} ${actor.name} asked for ${MAX_COMMANDS_PER_ACTOR_MINUTE} commands within a minute`,
      Math.ceil(freeInMs / 1000),
      { actor: `${actor.kind}:${actor.name}`, subject: name },
    );
  }
  if (risk !== 'read') return;
  const [operations, most] = isStream
    ? [STREAMS, MAX_OPEN_FOLLOWS_PER_HOST]
    : [READS, MAX_OPEN_READS_PER_HOST];
  if ((await countOpenCommands(tx, host, operations, requestedAt)) > most) {
    const what = isStream ? 'live logs are followed' : 'reads are under way';
    throw tooMany(`ask for ${name}: ${most} ${what} on ${host} already`, READ_RETRY_S, {
      actor: `${actor.kind}:${actor.name}`,
      subject: name,
    });
  }
}
