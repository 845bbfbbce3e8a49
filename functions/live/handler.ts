// Entry point `live`: a WebSocket relay. Plain requests only learn that this is one.
import type { Request, Response } from '@google-cloud/functions-framework';
import { messageOf } from '#shared/errors.ts';
import type { Queryable } from '../store/database.ts';
import { claimLiveTicket } from '../store/live-tickets.ts';
import { createRelay, type Relay } from './relay.ts';
import { type UpgradeHandler, upgradeHandler } from './upgrade.ts';

/** What the relay needs of the process's dependencies. */
export interface LiveDeps {
  db: Queryable;
  clock(): Date;
  log: {
    info(msg: string, fields?: Record<string, unknown>): void;
    error(msg: string, fields?: Record<string, unknown>): void;
  };
}

/** Answers plain HTTP requests; upgrades never come here (see capture-server.ts). */
export function handleLive(_deps: LiveDeps): (req: Request, res: Response) => Promise<void> {
  return (_req, res) => {
    res.set('upgrade', 'websocket').status(426).type('application/problem+json');
    res.send({
      type: 'about:blank',
      title: 'Upgrade Required',
      status: 426,
      code: 'invalid-input',
      detail: 'this address speaks WebSocket only',
    });
    return Promise.resolve();
  };
}

/** The relay over this process's database, and its answer to upgrades. */
export function createLiveUpgrades(deps: LiveDeps): { relay: Relay; onUpgrade: UpgradeHandler } {
  const relay = createRelay({
    claim: (side, key) => claimLiveTicket(deps.db, side, key, deps.clock()),
    nowMs: () => deps.clock().getTime(),
    onEnded: ({ ticketId, ...facts }) =>
      deps.log.info('live session ended', { ...facts, ticket: ticketId.slice(0, 12) }),
  });
  const onError = (error: unknown) => deps.log.error('live upgrade failed', { error: messageOf(error) });
  return { relay, onUpgrade: upgradeHandler(relay, onError) };
}
