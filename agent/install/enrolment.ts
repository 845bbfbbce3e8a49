// The document that enrols this host: its name and public keys, signed with each of the private keys.
import { createPublicKey } from 'node:crypto';
import type { HostEnrolment } from '#shared/enrolment.ts';
import type { HostName } from '#shared/names.ts';
import { type DsseEnvelope, signDsse } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';

export interface PrivateKeys {
  /** PEM of the private key. */
  agent: string;
  runner: string;
}

function publicPem(privatePem: string): string {
  return createPublicKey(privatePem).export({ type: 'spki', format: 'pem' }).toString();
}

/** Writes and signs the document; the same keys give the same document. */
export async function writeEnrolment(host: HostName, { agent, runner }: PrivateKeys): Promise<DsseEnvelope> {
  const statement: HostEnrolment = {
    host,
    agentKeys: [publicPem(agent)],
    runnerKeys: [publicPem(runner)],
  };
  const payload = Buffer.from(JSON.stringify(statement), 'utf8');
  return await signDsse('enrolment', payload, [keySigner(agent), keySigner(runner)]);
}
