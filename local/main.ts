// `npm start`: the whole system on this machine. Flags: see HELP.
import { join, resolve } from 'node:path';
import { buildAgent } from '#agent/build.ts';
import { chooseHost } from '#local/demo/setup/capabilities.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { parseOptions } from '#shared/options.ts';
import { lockHome, removeHome } from './stack/home.ts';
import { showLiveView } from './stack/live-view.ts';
import { type Stack, startStack } from './stack/stack.ts';
import { playTour } from './stack/tour.ts';

const HELP = `Usage: npm start -- [options]

Starts Lamplighter and a small production platform on this machine. Lamplighter checks the
platform from outside, runs commands on it through signed messages, backs it up and verifies
the backups.

  --tour        break the platform, repair it, back it up and restore it, unattended;
                exit with 0 only if every step succeeded
  --fresh       delete the state of earlier runs first
  --home DIR    directory for the state (default .lamplighter)
  --port N      port of the API on 127.0.0.1 (default 8321)
  --tick S      seconds between two rounds of checks (default 10; Cloud Scheduler allows 60 or more)
  --supervised  run the host's units under a small supervisor, even where systemd could run them
  --functions F run the functions from the bundle F (see npm run build) instead of the sources
  --pubsub A    use the Pub/Sub at A (host:port), such as Google's emulator, instead of the built-in one;
                0.0.0.0:port where it listens on all addresses, as a host with systemd needs
  --plain       print lines instead of the live view
  --help        print this text
`;

const ROOT = join(import.meta.dirname, '..');

interface Flags {
  isTour: boolean;
  isFresh: boolean;
  isPlain: boolean;
  isSupervised: boolean;
  homeDir: string;
  functionsSource: string;
  pubsubAddress: string | undefined;
  apiPort: number;
  tickMs: number;
}

function parseFlags(args: string[]): Flags | undefined {
  const config = {
    args,
    options: {
      tour: { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      plain: { type: 'boolean', default: false },
      supervised: { type: 'boolean', default: false },
      home: { type: 'string', default: join(ROOT, '.lamplighter') },
      functions: { type: 'string', default: join(ROOT, 'functions', 'index.ts') },
      pubsub: { type: 'string' },
      port: { type: 'string', default: '8321' },
      tick: { type: 'string', default: '10' },
      help: { type: 'boolean', default: false },
    },
  } as const;
  const { values } = parseOptions(config, 'Run npm start -- --help to see the options.');
  if (values.help) return undefined;
  return {
    isTour: values.tour,
    isFresh: values.fresh,
    isSupervised: values.supervised,
    isPlain: values.plain || !process.stdout.isTTY,
    homeDir: values.home,
    functionsSource: resolve(values.functions),
    pubsubAddress: values.pubsub,
    apiPort: parseWhole('--port', values.port, 65_535),
    tickMs: parseWhole('--tick', values.tick, 3600) * 1000,
  };
}

function parseWhole(flag: string, text: string, max: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= max) return number;
  throw new LamplighterError(
    'invalid-input',
    `read ${flag} ${text}: the value must be a whole number from 1 to ${max}`,
  );
}

function say(text: string): void {
  console.log(`${new Date().toISOString().slice(11, 19)}  ${text}`);
}

async function start(flags: Flags): Promise<Stack> {
  const { kind, why } = chooseHost(flags.isSupervised);
  if (why !== undefined)
    say(`the host runs under a small supervisor, without systemd and its isolation (${why})`);
  const began = Date.now();
  if (flags.isFresh) await removeHome(flags.homeDir);
  const agentDir = join(flags.homeDir, 'agent');
  await buildAgent(agentDir);
  const stack = await startStack({
    homeDir: flags.homeDir,
    apiPort: flags.apiPort,
    tickMs: flags.tickMs,
    functionsSource: flags.functionsSource,
    ...(flags.pubsubAddress === undefined ? {} : { pubsubAddress: flags.pubsubAddress }),
    agentDir,
    hostKind: kind,
    onStep: say,
    onTrouble: (text) => say(`warning: ${text}`),
  });
  say(`everything runs after ${((Date.now() - began) / 1000).toFixed(1)} s: ${stack.url}`);
  return stack;
}

async function runTour(stack: Stack, began: number): Promise<void> {
  const tell = (text: string): void => {
    console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${text}`);
  };
  const figures = await playTour(stack, tell);
  tell('the tour is complete: every step succeeded');
  console.log(JSON.stringify(figures));
}

/** Resolves at the first Ctrl-C or SIGTERM; a second Ctrl-C does not cut the clean-up short. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  });
}

async function main(): Promise<number> {
  const flags = parseFlags(process.argv.slice(2));
  if (!flags) {
    process.stdout.write(HELP);
    return 0;
  }
  const lock = lockHome(flags.homeDir);
  const stopped = stopSignal();
  try {
    const began = Date.now();
    const starting = start(flags);
    const outcome = await Promise.race([starting, stopped]);
    if (typeof outcome === 'string') {
      say(`received ${outcome}: stopping after the part that is being started`);
      await starting.then((stack) => stack.close()).catch(() => undefined);
      return 130;
    }
    lock.announce(outcome.url);
    try {
      const work = flags.isTour ? runTour(outcome, began) : showLiveView(outcome, flags.isPlain, stopped);
      const ended = await Promise.race([work, stopped]);
      return ended === undefined || !flags.isTour ? 0 : 130;
    } finally {
      say('stopping everything; the state is kept');
      await outcome.close();
    }
  } finally {
    lock.release();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(messageOf(error));
  if (error instanceof LamplighterError && error.hint) console.error(error.hint);
  process.exitCode = error instanceof LamplighterError && error.code === 'invalid-input' ? 2 : 1;
}
