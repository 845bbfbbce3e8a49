// State machines as tables: for each event the states in which it counts, and the state that it leads to. The tables stand
// beside their subjects (functions/<subject>/state.ts); the store writes what they say and guards its writes with them. Pure.

/** What an event does: it counts in `from` alone. */
export interface Move<State extends string> {
  from: readonly State[];
  to: State;
}

export type Moves<State extends string, Event extends string> = Readonly<Record<Event, Move<State>>>;

/** The state after the event; `refused` when the event does not count in this state, which then stays. */
export function nextState<State extends string, Event extends string>(
  moves: Moves<State, Event>,
  state: State,
  event: Event,
): State | 'refused' {
  const { from, to } = moves[event];
  return from.includes(state) ? to : 'refused';
}
