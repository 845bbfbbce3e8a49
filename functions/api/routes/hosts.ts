// Enrolment: the public keys with which a host's agent and runner sign.
import { HostEnrolment } from '#shared/api/views.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { HostName } from '#shared/names.ts';
import { keyIdOf, parsePublicKey } from '#shared/signing/dsse.ts';
import { settleAlert } from '../../alert/change.ts';
import type { Deps } from '../../deps.ts';
import { appendAudit } from '../../store/audit.ts';
import { enrolHost, type HostKeyRole } from '../../store/hosts.ts';
import { findRunbook } from '../../store/runbooks.ts';
import { parseBody, parseInput, type Route } from '../route.ts';

function readKeys(role: HostKeyRole, pems: readonly string[]) {
  return pems.map((pem) => {
    try {
      return { role, keyId: keyIdOf(parsePublicKey(pem)), pem };
    } catch (error) {
      throw new LamplighterError('invalid-input', `read ${role} key: ${messageOf(error)}`, {
        hint: 'A key is the PEM of an Ed25519 public key, as the installer prints it.',
        cause: error,
      });
    }
  });
}

/** The runner's key must be one that the agent can't use. */
function assertDistinct(keys: readonly { role: HostKeyRole; keyId: string }[]): void {
  const isShared = keys.some((a) => keys.some((b) => a.role !== b.role && a.keyId === b.keyId));
  if (isShared) throw new LamplighterError('invalid-input', 'enrol host: agent and runner share a key');
}

/** Routes of hosts. */
export function hostRoutes(deps: Pick<Deps, 'db' | 'clock'>): Route[] {
  return [
    {
      method: 'PUT',
      path: '/v1/hosts/:name',
      role: 'admin',
      async handle(context) {
        const host = parseInput(HostName, context.params.name, 'host name');
        const { agentKeys, runnerKeys } = parseBody(context, HostEnrolment);
        const keys = [...readKeys('agent', agentKeys), ...readKeys('runner', runnerKeys)];
        assertDistinct(keys);
        const { actor } = context;
        const at = deps.clock();
        await deps.db.transaction(async (tx) => {
          await enrolHost(tx, { host, keys, at, by: actor.name });
          const current = await findRunbook(tx);
          if (current) {
            const key = { kind: 'agent', host, subject: '' } as const;
            await settleAlert(tx, key, 'the host was enrolled anew', current.runbook, at);
          }
          await appendAudit(tx, {
            at,
            actor: `${actor.kind}:${actor.name}`,
            action: 'host.enrolled',
            target: host,
            detail: { keys: keys.map(({ role, keyId }) => `${role}:${keyId}`) },
          });
        });
        return { body: { host, keys: keys.map(({ role, keyId }) => ({ role, keyId })) } };
      },
    },
  ];
}
