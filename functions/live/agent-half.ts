// The agent's half of a live ticket. It is made when the command is signed and is in the signed bytes alone. The database has
// its hash; the half itself is never in the command's row, the audit trail, a log or an API answer.
import { createHash } from 'node:crypto';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import { serviceFollow } from '#shared/operations/logs.ts';
import type { Signer } from '#shared/signing/dsse.ts';
import type { Queryable } from '../store/database.ts';
import { setAgentHalf } from '../store/live-tickets.ts';

/**
 * A command's half: the hash of a signature over the command's id. Ed25519 is deterministic (RFC 8032), so a command that is
 * signed again has the same half, and only the holder of the key can make it.
 */
async function makeAgentHalf(signer: Signer, commandId: string): Promise<string> {
  const signature = await signer.sign('agent-half', Buffer.from(commandId, 'utf8'));
  return createHash('sha256').update(signature).digest('base64url');
}

/** The envelope with the half in place of its ticket's id; undefined when the ticket does not exist any more. */
export async function putAgentHalf(
  tx: Queryable,
  signer: Signer,
  envelope: CommandEnvelope,
): Promise<CommandEnvelope | undefined> {
  const { ticket } = serviceFollow.spec.parse(envelope.spec);
  const half = await makeAgentHalf(signer, envelope.id);
  if (!(await setAgentHalf(tx, ticket, half))) return undefined;
  return { ...envelope, spec: { ...envelope.spec, ticket: half } };
}
