// One run of lamp: reads the arguments, loads the one verb that is wanted, returns the exit code.
import { Command, CommanderError } from 'commander';
import { LamplighterError } from '#shared/errors.ts';
import { apiClient } from '#shared/kit/api-client.ts';
import { EXIT, reportError } from './exit.ts';
import type { Io } from './io.ts';
import { palette } from './output/style.ts';
import { resolveSettings } from './settings/resolve.ts';
import type { Bind, Session } from './verb.ts';
import { VERBS } from './verbs.ts';

/** Help is text: in a wider line nobody reads it better. */
const HELP_COLUMNS = 100;

interface GlobalFlags {
  url?: string;
  tokenFile?: string;
  json?: boolean;
  allowHttp?: boolean;
  color: boolean;
}

/** Runs lamp with `args` (without node and script) and returns the exit code; never throws. */
export async function runLamp(args: readonly string[], io: Io, version: string): Promise<number> {
  const isJson = args.includes('--json');
  try {
    if (args.length === 0 || args[0] === '--help' || args[0] === '-h' || isBareHelp(args)) {
      const write = args.length === 0 ? io.err : io.out;
      const { renderOverview } = await import('./help.ts');
      write(renderOverview(io.columns()));
      return args.length === 0 ? EXIT.usage : EXIT.done;
    }
    // `lamp help restart` is `lamp restart --help`.
    const [first, ...rest] = args;
    return await dispatch(first === 'help' ? [...rest, '--help'] : args, io, version);
  } catch (error) {
    if (error instanceof CommanderError) return exitOfCommander(error, args, io, isJson);
    // Whatever it was that could not go on: it was told to stop.
    if (io.interrupted.aborted) return sayInterrupted(io);
    return reportError(error, io, isJson);
  }
}

function sayInterrupted(io: Io): number {
  io.err('interrupted\n');
  return EXIT.interrupted;
}

function isBareHelp(args: readonly string[]): boolean {
  return args.length === 1 && args[0] === 'help';
}

async function dispatch(args: readonly string[], io: Io, version: string): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = buildProgram(io, version);
  const bind: Bind =
    (action) =>
    async (...rest) => {
      exitCode = await action(openSession(program.opts<GlobalFlags>(), io), ...rest);
    };
  program.hook('preSubcommand', async (_program, command) => {
    const entry = VERBS.find(({ verb }) => verb === command.name());
    if (entry) (await entry.load()).define(command, bind);
  });
  await program.parseAsync(args, { from: 'user' });
  return exitCode;
}

function buildProgram(io: Io, version: string): Command {
  const program = new Command('lamp')
    .option('--json', 'one JSON document on standard output')
    .option('--url <url>', 'address of the control plane (LAMP_URL)')
    .option('--token-file <file>', 'file with the token (LAMP_TOKEN)')
    .option('--allow-http', 'let the token go to another machine over plain http (LAMP_ALLOW_HTTP=1)')
    .option('--no-color', 'no colours (NO_COLOR)')
    .version(version, '-V, --version', 'print the version')
    .configureOutput({
      writeOut: io.out,
      writeErr: () => undefined,
      getOutHelpWidth: () => Math.min(io.columns(), HELP_COLUMNS),
    })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  for (const { verb, summary, operation } of VERBS) {
    const command = program.command(verb).copyInheritedSettings(program);
    command.description(summary ?? operation ?? '');
  }
  return program;
}

function openSession(flags: GlobalFlags, io: Io): Session {
  const env = flags.color ? io.env : { ...io.env, NO_COLOR: '1' };
  const ownIo = { ...io, env };
  return {
    io: ownIo,
    isJson: flags.json === true,
    paint: palette(ownIo, io.stdoutIsTty),
    client: () => apiClient({ ...resolveSettings(flags, io), fetch: io.fetch, interrupted: io.interrupted }),
  };
}

/** Commander's own complaints are usage errors; its help and version are not errors at all. */
function exitOfCommander(error: CommanderError, args: readonly string[], io: Io, isJson: boolean): number {
  if (error.exitCode === 0) return EXIT.done;
  const verb = VERBS.find((entry) => entry.verb === args[0]);
  // Its text for a verb whose action is missing is the name of what it would do: print the help.
  const said = error.code === 'commander.help' ? 'the action is missing' : error.message;
  const [message, ...suggestion] = said.replace(/^error: /, '').split('\n');
  const hint =
    suggestion.join(' ').replace(/^\((.*)\)$/, '$1') || `See: lamp ${verb ? `${verb.verb} ` : ''}--help`;
  return reportError(new LamplighterError('invalid-input', message ?? 'bad arguments', { hint }), io, isJson);
}
