// Entry point `live`: a WebSocket relay. Upgrades reach it without the framework (listening.ts); a plain request
// is answered with 426.

import type { Deps } from '../deps.ts';
import { type Answering, answering, type Handler } from '../http/answer.ts';
import { createBuckets } from '../http/bucket.ts';
import { HttpFault } from '../http/fault.ts';
import { FAILURES } from '../http/request-limits.ts';
import { claimLiveTicket } from '../store/live-tickets.ts';
import { createRelay, type Relay } from './relay.ts';
import { type UpgradeGate, type UpgradeHandler, upgradeHandler } from './upgrade.ts';

/** Answers plain HTTP requests with 426. */
export function handleLive(deps: Answering): Handler {
  return answering(deps, () =>
    Promise.reject(
      new HttpFault('invalid-input', 'reach relay: this address speaks WebSocket only', {
        hint: 'Use `lamp logs SERVICE -f`.',
        status: 426,
      }),
    ),
  );
}

/** Counts failures by address, as `api` does, and records them. */
function createGate({
  clock,
  denials,
  addressOf,
}: Pick<Deps, 'clock' | 'denials' | 'addressOf'>): UpgradeGate {
  const failures = createBuckets(FAILURES);
  return {
    isOpenTo: (request) => failures.waitS(addressOf(request), clock().getTime()) === 0,
    onDenied: (request, reason) => {
      const address = addressOf(request);
      failures.take(address, clock().getTime());
      const denial = { action: 'auth_denied', subject: 'live', detail: { reason } };
      void denials.note({ source: `address:${address}`, isProven: false, ...denial });
    },
  };
}

/** The relay over this process's database, and its answer to upgrades. */
export function createLiveUpgrades(deps: Pick<Deps, 'db' | 'clock' | 'log' | 'denials' | 'addressOf'>): {
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
  return { relay, onUpgrade: upgradeHandler(relay, onError, createGate(deps)) };
}
