// The states of an incident. Pure.
import type { IncidentState } from '#shared/states.ts';
import { type Moves, nextState } from '../state-machine.ts';

/** `calm`: the incident's last alert has ended. */
export type IncidentNews = 'acknowledged' | 'calm';

export const INCIDENT_MOVES = {
  acknowledged: { from: ['open'], to: 'acknowledged' },
  calm: { from: ['open', 'acknowledged'], to: 'resolved' },
} as const satisfies Moves<IncidentState, IncidentNews>;

export function nextIncidentState(state: IncidentState, news: IncidentNews): IncidentState | 'refused' {
  return nextState<IncidentState, IncidentNews>(INCIDENT_MOVES, state, news);
}
