// The states of a delivery. Its message and the end of its line's command come twice, late, and after a lease was lost. Pure.
import type { DeliveryState } from '#shared/states.ts';
import type { Moves } from '../state-machine.ts';

/**
 * `attempted`: published, taken for sending, or put back for another attempt. `handed-over`: a command writes its line.
 * `given-up`: it can't be sent. `retried`, `lost`: the command ended without having written the line, and another one will
 * be asked for, or not.
 */
export type DeliveryNews = 'attempted' | 'handed-over' | 'delivered' | 'given-up' | 'retried' | 'lost';

export const DELIVERY_MOVES: Moves<DeliveryState, DeliveryNews> = {
  attempted: { from: ['pending'], to: 'pending' },
  'handed-over': { from: ['pending'], to: 'sent' },
  // Also counts when the delivery was given up or is retried: a receipt proves that it arrived.
  delivered: { from: ['pending', 'sent', 'failed'], to: 'delivered' },
  'given-up': { from: ['pending'], to: 'failed' },
  retried: { from: ['sent'], to: 'pending' },
  lost: { from: ['sent'], to: 'failed' },
};
