// Every command begins here, whoever asks for it: an operation with parameters becomes a row, an audit entry, and a request
// to `sign`, which alone signs and publishes commands.

import { v7 as uuidv7 } from 'uuid';
import type { Actor } from '#shared/command/envelope.ts';
import { LamplighterError } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import { findOperation } from '#shared/operations/catalogue.ts';
import { mayAsk, type OperationDefinition } from '#shared/operations/definition.ts';
import { isRoleAtLeast, roleNeededFor } from '#shared/role.ts';
import type { Deps } from '../deps.ts';
import { HttpFault } from '../http/fault.ts';
import { publishDue } from '../publish.ts';
import { appendAudit } from '../store/audit.ts';
import {
  COMMAND_OUTBOX,
  findByIdempotencyKey,
  insertCommand,
  type NewCommand,
  shownParams,
} from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';
import { requireRunbook } from '../store/runbooks.ts';
import { findTokenByName } from '../store/tokens.ts';
import { scopeFault } from '../token/scope.ts';
import { commandDigest, orderDigest } from './digest.ts';
import { checkLimits, lockForLimits } from './limits.ts';
import { storedParams } from './params.ts';
import { targetFault } from './target.ts';

export type RequestDeps = Pick<Deps, 'db' | 'clock' | 'log' | 'signCommand'>;

export interface CommandOrder {
  operation: string;
  params: Record<string, unknown>;
  actor: Actor;
  dryRun: boolean;
  /** The same key of the same actor gives the command that it made first. */
  idempotencyKey?: string;
  incidentId?: string;
  /** What must happen together with the command's creation, or not at all; called within its transaction. */
  alongside?: (tx: Queryable) => Promise<void>;
}

/** Asks for a command. */
export type RequestCommand = (order: CommandOrder) => Promise<{ id: CommandId; host: string }>;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** A command is signed right after its request; after this time a tick asks `sign` again. */
const SIGN_GRACE_MS = 5000;
/** Together with one slow answer of `sign` it stays below the outbox's claim and the tick's deadline. */
const RESEND_WITHIN_MS = 20_000;
/** Hosts at the same time: `sign` has few instances, which people's own commands need. */
const RESEND_WIDTH = 4;

/** How long a command may wait to start. */
function lifetimeMs({ startWithinMs, risk }: OperationDefinition, actor: Actor): number {
  if (startWithinMs !== undefined) return startWithinMs;
  if (actor.kind === 'schedule') return 6 * HOUR_MS;
  return risk === 'read' ? MINUTE_MS : 5 * MINUTE_MS;
}

const NO_WEBHOOK =
  "Webhooks can ask for operations that are neither destructive nor the control plane's own.";

/** Throws `not-allowed` when the actor's role does not cover the operation, or no webhook is allowed to ask for it. */
function checkRole(definition: OperationDefinition, { actor, params }: CommandOrder): void {
  const needed = roleNeededFor(definition);
  const isNoWebhooks = actor.kind === 'webhook' && !mayAsk(definition, 'webhook');
  if (isRoleAtLeast(actor.role, needed) && !isNoWebhooks) return;
  const detail = { role: actor.role, needed, params: shownParams(params) };
  const who = isNoWebhooks ? 'webhooks are not allowed' : `role ${actor.role} is not allowed`;
  throw new HttpFault('not-allowed', `ask for ${definition.name}: ${who}`, {
    hint: isNoWebhooks ? NO_WEBHOOK : `Requires the role ${needed}.`,
    denial: { actor: `${actor.kind}:${actor.name}`, subject: definition.name, detail },
  });
}

interface Asked {
  definition: OperationDefinition;
  params: Record<string, unknown>;
  host: string;
}

/** Throws `not-allowed` when the actor's token does not cover the operation and the host, or the command that it acts on. */
async function checkScope(deps: RequestDeps, actor: Actor, question: Asked): Promise<void> {
  const token = actor.kind === 'token' ? await findTokenByName(deps.db, actor.name, deps.clock()) : undefined;
  const { definition, host } = question;
  const asked = { operation: definition.name, host };
  const fault =
    token && (definition.actsOn ? await targetFault(deps.db, question, token) : scopeFault(token, asked));
  if (fault === undefined) return;
  throw new HttpFault(
    'not-allowed',
    `ask for ${asked.operation}: token ${actor.name} is not allowed: ${fault}`,
    {
      denial: { actor: `${actor.kind}:${actor.name}`, subject: asked.operation, detail: asked },
    },
  );
}

/**
 * Asks for an operation: checks it against the runbook and the role, writes it down, and has it signed and sent. When
 * `sign` can't be reached the command stays `requested`, and the watch's tick asks again until it expires. Throws
 * `not-found`, `invalid-input`, `not-allowed`, `busy` (429: limits.ts), or `conflict` (the key belongs to another command).
 */
export async function requestCommand(
  deps: RequestDeps,
  order: CommandOrder,
): Promise<{ id: CommandId; host: string }> {
  const definition = findOperation(order.operation);
  checkRole(definition, order);
  const { runbook } = await requireRunbook(deps.db);
  const params = storedParams(definition, order.params, runbook);
  const { host } = definition.resolve(params, { runbook });
  const requestedAt = deps.clock();
  await checkScope(deps, order.actor, { definition, params, host });
  const command = {
    id: CommandId.parse(uuidv7({ msecs: requestedAt.getTime() })),
    operation: definition.name,
    host,
    params,
    dryRun: order.dryRun,
    actor: order.actor,
    idempotencyKey: order.idempotencyKey ?? null,
    incident: order.incidentId ?? null,
    requestedAt,
    expiresAt: new Date(requestedAt.getTime() + lifetimeMs(definition, order.actor)),
    timeoutMs: definition.timeoutMs,
    nextPublishAt: new Date(requestedAt.getTime() + SIGN_GRACE_MS),
    orderDigest: orderDigest({ operation: definition.name, params, dryRun: order.dryRun }),
  };
  const { id, isNew, state } = await keep(deps, command, definition, order.alongside);
  if (isNew || state === 'requested') await askToSign(deps, id).catch(() => undefined);
  return { id, host };
}

/** A failure is not the caller's: the command stays, and a tick of the watch asks again. */
async function askToSign(deps: Pick<RequestDeps, 'log' | 'signCommand'>, id: string): Promise<void> {
  try {
    await deps.signCommand(id);
  } catch (error) {
    deps.log.error('command could not be signed yet', error, { commandId: id });
    throw error;
  }
}

/**
 * Asks `sign` again for the commands that are due, those of a host in the order in which they were asked for; called with
 * every tick of the watch. Returns how many were due.
 */
export async function resendRequestedCommands(deps: RequestDeps): Promise<number> {
  const { due } = await publishDue(deps, {
    outbox: COMMAND_OUTBOX,
    publish: ({ id }) => askToSign(deps, id),
    againAfterMs: SIGN_GRACE_MS,
    laneOf: ({ host }) => host,
    withinMs: RESEND_WITHIN_MS,
    width: RESEND_WIDTH,
  });
  return due;
}

async function keep(
  deps: RequestDeps,
  command: NewCommand,
  definition: OperationDefinition,
  alongside: CommandOrder['alongside'],
) {
  return await deps.db.transaction(async (tx) => {
    await alongside?.(tx);
    await lockForLimits(tx, command);
    if (await insertCommand(tx, command)) {
      await checkLimits(tx, command, definition);
      await appendAudit(tx, {
        at: command.requestedAt,
        actor: `${command.actor.kind}:${command.actor.name}`,
        action: 'command.requested',
        target: command.id,
        detail: {
          operation: command.operation,
          host: command.host,
          params: shownParams(command.params),
          dryRun: command.dryRun,
          digest: commandDigest(command),
        },
      });
      return { id: command.id, isNew: true, state: 'requested' };
    }
    const first = await findByIdempotencyKey(tx, command.actor, command.idempotencyKey ?? '');
    if (first?.orderDigest === command.orderDigest) return { ...first, isNew: false };
    throw new LamplighterError(
      'conflict',
      'ask for command: the idempotency key belongs to another command',
      {
        hint: 'Use a new key for a new command.',
      },
    );
  });
}
