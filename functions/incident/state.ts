// The states of an incident. Pure.
import type { IncidentState } from '#shared/states.ts';
import type { Moves } from '../state-machine.ts';

/** `calm`: the incident's last alert has ended. */
export type IncidentNews = 'acknowledged' | 'calm';

export const INCIDENT_MOVES: Moves<IncidentState, IncidentNews> = {
  acknowledged: { from: ['open'], to: 'acknowledged' },
  calm: { from: ['open', 'acknowledged'], to: 'resolved' },
};
