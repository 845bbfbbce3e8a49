// The agent's half of a live ticket. It is made when the command is signed and stands in the signed bytes alone: the
// database has its hash, and neither the command's row nor the trail, a log or the API ever has the half itself.
import { createHash } from 'node:crypto';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import { serviceFollow } from '#shared/operations/service.ts';
import type { Signer } from '#shared/signing/dsse.ts';
import type { Queryable } from '../store/database.ts';
import { setAgentHalf } from '../store/live-tickets.ts';

/**
 * The half that belongs to a command: the hash of a signature over its id, which Ed25519 makes the same each time
 * (RFC 8032). So a command that is signed again carries the same half, and only the holder of the key can make it.
 */
async function makeAgentHalf(signer: Signer, commandId: string): Promise<string> {
  const signature = await signer.sign('agent-half', Buffer.from(commandId, 'utf8'));
  return createHash('sha256').update(signature).digest('base64url');
}

/** The envelope with the half in the place of its ticket's id; undefined when the ticket is gone. */
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
