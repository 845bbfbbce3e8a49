// Entry point `live`: a WebSocket relay. Upgrades reach it beside the framework (listening.ts); plain requests
// only learn that this is one.
import { LamplighterError } from '#shared/errors.ts';
import type { Deps } from '../deps.ts';
import { type Answering, answering, type Handler } from '../http.ts';
import { claimLiveTicket } from '../store/live-tickets.ts';
import { createRelay, type Relay } from './relay.ts';
import { type UpgradeHandler, upgradeHandler } from './upgrade.ts';

/** Answers plain HTTP requests with 426. */
export function handleLive(deps: Answering): Handler {
  return answering(deps, () =>
    Promise.reject(
      new LamplighterError('invalid-input', 'reach relay: this address speaks WebSocket only', {
        hint: 'Use `lamp logs SERVICE -f`.',
        details: { status: 426 },
      }),
    ),
  );
}

/** The relay over this process's database, and its answer to upgrades. */
export function createLiveUpgrades(deps: Pick<Deps, 'db' | 'clock' | 'log'>): {
  relay: Relay;
  onUpgrade: UpgradeHandler;
} {
  const relay = createRelay({
    claim: (side, key) => claimLiveTicket(deps.db, side, key, deps.clock()),
    nowMs: () => deps.clock().getTime(),
    onEnded: ({ ticketId, ...facts }) =>
      deps.log.info('live session ended', { ...facts, ticket: ticketId.slice(0, 12) }),
  });
  const onError = (error: unknown) => deps.log.error('live upgrade failed', error);
  return { relay, onUpgrade: upgradeHandler(relay, onError) };
}
