// What a kind of channel is, what it gets, and how it answers. Each kind has a folder beside this and a line in registry.ts.
import type { CommandId } from '#shared/names.ts';
import type { Channel, Runbook } from '#shared/runbook/schema.ts';
import type { RequestCommand } from '../../command/request.ts';
import type { Config } from '../../config.ts';
import type { Alert } from '../../store/alerts.ts';
import type { Delivery } from '../../store/deliveries.ts';
import type { Incident } from '../../store/incidents.ts';

/** One event of an alert, on its way to one recipient. */
export interface Dispatch {
  delivery: Delivery;
  alert: Alert;
  incident: Incident | undefined;
  runbook: Runbook;
}

/**
 * What became of one attempt. `delivered`: with what the channel answered. `sent`: a command carries it to a host, and its
 * end decides. `refused`: this recipient will never take it. `withdrawn`: the runbook does not want it any more. Whatever
 * is thrown may work later.
 */
export type SendOutcome =
  | { state: 'delivered'; receipt: string }
  | { state: 'sent'; commandId: CommandId; receipt: string }
  | { state: 'refused' | 'withdrawn'; reason: string };

export interface ChannelDeps {
  /** For a secret of the channel, see secret.ts. */
  config: Config;
  requestCommand: RequestCommand;
}

/** What the rest of `alert` asks of a kind of channel. */
export interface ChannelKind<C extends Channel = Channel> {
  /** True for a log, which perhaps nobody reads at the time: channels that reach people come first. */
  isLog: boolean;
  /** The channel's recipients, each told and retried by itself; the one name '' for a channel that has only itself. */
  recipientsOf(channel: C): readonly string[];
  /** Sends one event to one recipient. Throws what may work later. */
  send(deps: ChannelDeps, channel: C, dispatch: Dispatch): Promise<SendOutcome>;
}
