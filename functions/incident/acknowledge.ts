// Acknowledges incidents: somebody works on them.
import type { Actor } from '#shared/command/envelope.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { Deps } from '../deps.ts';
import { appendAudit } from '../store/audit.ts';
import { appendIncidentEvent, findIncident, type Incident, markAcknowledged } from '../store/incidents.ts';
import { incidentName } from './name.ts';

export type AcknowledgeDeps = Pick<Deps, 'db' | 'clock'>;

/**
 * Acknowledges an incident. The name of the first who does so stays; a repetition is no error. Throws `not-found`, or
 * `conflict` when the incident is already resolved.
 */
export async function acknowledgeIncident(
  deps: AcknowledgeDeps,
  number: number,
  actor: Actor,
): Promise<Incident> {
  const name = incidentName(number);
  const now = deps.clock();
  const incident = await deps.db.transaction(async (tx) => {
    const isFirst = await markAcknowledged(tx, number, { at: now, name: actor.name });
    if (isFirst) {
      const text = `acknowledged by ${actor.name}`;
      await appendIncidentEvent(tx, number, { at: now, kind: 'acknowledged', text, actor: actor.name });
      await appendAudit(tx, {
        at: now,
        actor: `${actor.kind}:${actor.name}`,
        action: 'incident.acknowledged',
        target: name,
        detail: {},
      });
    }
    return await findIncident(tx, number);
  });
  if (!incident) {
    throw new LamplighterError('not-found', `acknowledge incident ${name}: there is no such incident`, {
      hint: '`lamp incidents` lists them.',
    });
  }
  if (incident.state === 'resolved') {
    throw new LamplighterError('conflict', `acknowledge incident ${name}: it is already resolved`);
  }
  return incident;
}
