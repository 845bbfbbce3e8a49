// Cancels a command. One that nobody has signed is withdrawn in the store; for any other a signed command goes to its host,
// since only root there can stop what root does.
import type { CancelRequested } from '#shared/api/views.ts';
import type { Actor } from '#shared/command/envelope.ts';
import { isFinal } from '#shared/command/state.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { CommandId } from '#shared/names.ts';
import { commandCancel } from '#shared/operations/command.ts';
import { HttpFault } from '../http/fault.ts';
import { appendAudit } from '../store/audit.ts';
import { type CommandRecord, lockCommand } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';
import { advanceCommand } from './advance.ts';
import { type RequestDeps, requestCommand } from './request.ts';
import { refuseChain, type Standing, standingFault } from './target.ts';

export interface CancelOrder {
  id: CommandId;
  actor: Actor;
  standing: Standing;
}

/**
 * Withdraws the command, or asks for the command that stops it. Throws `not-found`, `conflict` when it has ended, `not-allowed`
 * when the actor could not have asked for it.
 */
export async function cancelCommand(deps: RequestDeps, order: CancelOrder): Promise<CancelRequested> {
  const { id, actor } = order;
  const { host, isWithdrawn } = await deps.db.transaction(async (tx) => {
    const record = await lockCommand(tx, id);
    if (!record) throw new LamplighterError('not-found', `cancel command ${id}: there is no such command`);
    refuseEnded(record);
    refuseChain(record);
    refuseStranger(record, order);
    if (!record.isSigned) await withdraw(tx, record, actor, deps.clock());
    return { host: record.host, isWithdrawn: !record.isSigned };
  });
  if (isWithdrawn) return { command: id, cancel: null };
  const params = { command: id, host };
  const cancel = await requestCommand(deps, {
    operation: commandCancel.name,
    params,
    actor,
    dryRun: false,
  });
  return { command: id, cancel: cancel.id };
}

function refuseEnded({ id, state }: CommandRecord): void {
  if (!isFinal(state)) return;
  throw new LamplighterError('conflict', `cancel command ${id}: it has ended already (${state})`, {
    hint: `Look at it: lamp commands ${id}`,
  });
}

function refuseStranger(record: CommandRecord, { actor, standing }: CancelOrder): void {
  const fault = standingFault(record, standing);
  if (fault === undefined) return;
  throw new HttpFault('not-allowed', `cancel command ${record.id}: not allowed: ${fault}`, {
    denial: {
      actor: `${actor.kind}:${actor.name}`,
      subject: commandCancel.name,
      detail: { command: record.id, operation: record.operation },
    },
  });
}

async function withdraw(tx: Queryable, record: CommandRecord, actor: Actor, at: Date): Promise<void> {
  const by = `${actor.kind} ${actor.name}`;
  const said = { code: 'cancelled', message: `cancelled by ${by} before it was sent` } as const;
  await advanceCommand(tx, record, { news: 'withdrawn', at, ...said });
  const entry = { at, actor: `${actor.kind}:${actor.name}`, action: 'command.withdrawn', target: record.id };
  await appendAudit(tx, { ...entry, detail: { operation: record.operation, host: record.host } });
}
