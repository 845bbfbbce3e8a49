// Enrolment: the public keys with which a host's agent and runner sign, each proven by its own signature.
import { ROUTES } from '#shared/api/routes.ts';
import { openEnrolment } from '#shared/enrolment.ts';
import { LamplighterError } from '#shared/errors.ts';
import { HostName } from '#shared/names.ts';
import type { DsseEnvelope } from '#shared/signing/dsse.ts';
import { resolveAlerts } from '../alert/change.ts';
import type { Deps } from '../deps.ts';
import { parseInput, type Served, serve } from '../http/route.ts';
import { appendAudit } from '../store/audit.ts';
import { enrolHost } from '../store/hosts.ts';
import { findRunbook } from '../store/runbooks.ts';
import { agentContradiction } from './conditions.ts';

/** The keys that a document proves of this host. Throws `invalid-input` when it proves none, or those of another host. */
function provenKeys(host: HostName, document: DsseEnvelope) {
  const finding = openEnrolment(document);
  if (finding.proven && finding.host === host) return finding.keys;
  const reason = finding.proven ? `it enrols ${finding.host}` : finding.reason;
  throw new LamplighterError('invalid-input', `enrol host ${host}: ${reason}`, {
    hint: "Run the agent's installer on the host again: it prints the command with the document that the host's keys signed.",
  });
}

/** Routes of hosts. */
export function hostRoutes(deps: Pick<Deps, 'db' | 'clock'>): Served[] {
  return [
    serve(ROUTES.enrolHost, async ({ params, body, actor }) => {
      const host = parseInput(HostName, params.name, 'host name');
      const keys = provenKeys(host, body);
      const at = deps.clock();
      await deps.db.transaction(async (tx) => {
        await enrolHost(tx, { host, keys, at, by: actor.name });
        const current = await findRunbook(tx);
        if (current) {
          // Published by the next tick of the watch.
          const alerts = { tx, runbook: current.runbook, now: at, changes: [] };
          await resolveAlerts(alerts, agentContradiction, host, 'the host was enrolled anew');
        }
        await appendAudit(tx, {
          at,
          actor: `${actor.kind}:${actor.name}`,
          action: 'host.enrolled',
          target: host,
          detail: { keys: keys.map(({ role, keyId }) => `${role}:${keyId}`) },
        });
      });
      return { host, keys: keys.map(({ role, keyId }) => ({ role, keyId })) };
    }),
  ];
}
