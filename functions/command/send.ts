// Signs a stored command and publishes it to its host. A repetition at any point does no harm: the bytes are signed once
// (those of a live log are signed anew, with the same content), and a host runs a command once.
import { COMMAND_EVENT_TYPE, CommandEnvelope } from '#shared/command/envelope.ts';
import type { CommandState } from '#shared/command/state.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { type SignedBytes, type Signer, signBytes } from '#shared/signing/dsse.ts';
import { toWire } from '#shared/signing/message.ts';
import { commandsTopic } from '#shared/topology.ts';
import type { Deps } from '../deps.ts';
import { putAgentHalf } from '../live/agent-half.ts';
import { appendAudit, findIntactAudit } from '../store/audit.ts';
import {
  type CommandRecord,
  findSignedBytes,
  lockCommand,
  saveSignedBytes,
  saveSigningKey,
} from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';
import { requireRunbook } from '../store/runbooks.ts';
import { advanceCommand } from './advance.ts';
import { judgeAuthority } from './authority.ts';
import { commandDigest } from './digest.ts';

export type SendDeps = Pick<Deps, 'db' | 'clock' | 'loadSigner' | 'publisher'>;

type Decision =
  | { send: false; state: CommandState }
  | { send: true; record: CommandRecord; signed: SignedBytes };

/** Signs and publishes; returns the command's new state. Throws `not-found`, or `unavailable` when a retry may help. */
export async function sendCommand(deps: SendDeps, id: string): Promise<CommandState> {
  const decision = await deps.db.transaction((tx) => decide(deps, tx, id));
  if (!decision.send) return decision.state;
  const { record, signed } = decision;
  const message = toWire('command', signed, {
    id: record.id,
    source: 'lamplighter/sign',
    type: COMMAND_EVENT_TYPE,
    time: record.requestedAt.toISOString(),
    subject: record.host,
  });
  await deps.publisher.publish(commandsTopic(record.host), message, record.host);
  return await deps.db.transaction(async (tx) => {
    const current = await lockCommand(tx, id);
    if (!current) return 'sent';
    const state = await advanceCommand(tx, current, { news: 'published', at: deps.clock() });
    return state === 'refused' ? current.state : state;
  });
}

async function decide(deps: SendDeps, tx: Queryable, id: string): Promise<Decision> {
  const record = await lockCommand(tx, id);
  if (!record) throw new LamplighterError('not-found', `sign command ${id}: there is no such command`);
  if (record.state !== 'requested') return { send: false, state: record.state };
  if (deps.clock() >= record.expiresAt) return await expire(deps, tx, record);
  const checked = await check(deps, tx, record);
  if ('refusal' in checked) return await refuse(deps, tx, record, checked.refusal);
  // The bytes were signed before, and publishing failed. The command was checked again above, so they are sent unchanged.
  const known = await findSignedBytes(tx, id);
  if (known) return { send: true, record, signed: known };
  const signer = await deps.loadSigner();
  if (checked.isStream) {
    const complete = await putAgentHalf(tx, signer, checked.envelope);
    if (!complete) return await refuse(deps, tx, record, 'its live ticket no longer exists');
    const signed = await signEnvelope(signer, complete);
    // The bytes are not kept, since they open the agent's side. Signed again, they differ in the time alone.
    await saveSigningKey(tx, id, signed.keyId);
    return { send: true, record, signed };
  }
  const signed = await signEnvelope(signer, checked.envelope);
  await saveSignedBytes(tx, id, signed);
  return { send: true, record, signed };
}

async function signEnvelope(signer: Signer, envelope: CommandEnvelope): Promise<SignedBytes> {
  const payload = Buffer.from(JSON.stringify(envelope), 'utf8');
  return await signBytes(signer, 'command', payload);
}

async function expire(deps: SendDeps, tx: Queryable, record: CommandRecord): Promise<Decision> {
  const message = `could not be sent before ${record.expiresAt.toISOString()}`;
  const at = deps.clock();
  await advanceCommand(tx, record, { news: 'not-signed', end: 'expired', at, code: 'expired', message });
  return { send: false, state: 'expired' };
}

async function refuse(
  deps: SendDeps,
  tx: Queryable,
  record: CommandRecord,
  reason: string,
): Promise<Decision> {
  const at = deps.clock();
  await advanceCommand(tx, record, {
    news: 'not-signed',
    end: 'rejected',
    at,
    message: `not signed: ${reason}`,
  });
  await appendAudit(tx, {
    at,
    actor: `${record.actor.kind}:${record.actor.name}`,
    action: 'sign.refused',
    target: record.id,
    detail: { reason, operation: record.operation, host: record.host },
  });
  return { send: false, state: 'rejected' };
}

type Checked = { envelope: CommandEnvelope; isStream: boolean } | { refusal: string };

/** Checks the row against the audit trail, the actor's authority, and the parameters against catalogue and runbook. */
async function check(deps: SendDeps, tx: Queryable, record: CommandRecord): Promise<Checked> {
  const requested = await findIntactAudit(tx, 'command.requested', record.id);
  if (requested?.detail.digest !== commandDigest(record)) {
    return { refusal: 'the stored command differs from the command in the audit trail' };
  }
  const definition = lookUpOperation(record.operation);
  if (!definition) return { refusal: `there is no operation ${record.operation}` };
  const params = definition.params.safeParse(record.params);
  if (!params.success) return { refusal: 'its parameters are no longer valid' };
  const { runbook, version } = await requireRunbook(tx);
  const question = {
    actor: record.actor,
    definition,
    params: record.params,
    runbook,
    host: record.host,
    now: deps.clock(),
  };
  try {
    const authority = await judgeAuthority(tx, question);
    if (!authority.allowed) return { refusal: authority.reason };
    const { host, spec } = definition.resolve(params.data, { runbook });
    if (host !== record.host) return { refusal: `the runbook now names host ${host}` };
    return {
      isStream: definition.isStream === true,
      envelope: CommandEnvelope.parse({
        v: 1,
        id: record.id,
        host,
        operation: definition.name,
        params: record.params,
        spec,
        dryRun: record.dryRun,
        actor: authority.actor,
        runbookVersion: version,
        issuedAt: deps.clock().toISOString(),
        expiresAt: record.expiresAt.toISOString(),
        timeoutMs: definition.timeoutMs,
      }),
    };
  } catch (error) {
    if (!(error instanceof LamplighterError)) throw error;
    return { refusal: messageOf(error) };
  }
}
