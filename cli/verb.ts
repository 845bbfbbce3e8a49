// What every verb gets and gives: a session of one run, and the exit code.
import type { Command } from 'commander';
import type { ApiClient } from '#shared/kit/api-client.ts';
import type { Io } from './io.ts';
import type { Palette } from './output/style.ts';

export interface Session {
  io: Io;
  /** `--json`: one document on standard output and nothing else there. */
  isJson: boolean;
  paint: Palette;
  /** The control plane; throws when address or token can't be settled. */
  client(): ApiClient;
}

/** Wraps a verb's action for commander; its arguments are the verb's own, then its options. */
export type Bind = <A extends unknown[]>(
  action: (session: Session, ...args: A) => Promise<number>,
) => (...args: A) => Promise<void>;

export interface VerbModule {
  /** Adds arguments, options, help and the action to the verb's command. */
  define(command: Command, bind: Bind): void;
}

export interface VerbEntry {
  verb: string;
  /** Arguments as the overview shows them. */
  usage: string;
  /** One line of the overview; verbs of an operation take the operation's own. */
  summary?: string;
  /** Verbs in a row with the same text share one line of the overview, which says this of them. */
  together?: string;
  /** The operation that this verb is short for. */
  operation?: string;
  load(): Promise<VerbModule>;
}

/** Ends a verb's help with something to copy. */
export function addExamples(command: Command, ...examples: string[]): Command {
  const lines = examples.map((example) => `  $ ${example}`).join('\n');
  return command.addHelpText('after', `\nExample${examples.length > 1 ? 's' : ''}:\n${lines}`);
}
