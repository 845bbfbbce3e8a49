// The agent: faces the network, is unprivileged, and decides nothing important alone. It verifies, journals, hands over,
// follows and reports.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UnitStatus } from '#shared/command/report.ts';
import { hintOf, messageOf } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import { parseOptions } from '#shared/options.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { readConfig, readPinnedKeys } from './config/config.ts';
import { agentGoogleEnvironment } from './config/google-credentials.ts';
import { PATHS } from './config/paths.ts';
import { createDispatcher, type Dispatcher } from './dispatch/dispatch.ts';
import { listenForEnd } from './farewell.ts';
import { createInbox } from './inbox/inbox.ts';
import { openJournal } from './journal/journal.ts';
import { type Outbox, startOutbox } from './outbox/outbox.ts';
import { createReportWriter, type ReportWriter } from './outbox/write-report.ts';
import { loadPolicy, readUnitNames } from './policy/load.ts';
import { createHeart } from './vitals/heart.ts';
import { isProcessThere, watchUnitEnds } from './vitals/unit-ends.ts';
import { readVitals } from './vitals/vitals.ts';

// Set when the bundle is made; the sources by themselves have no version.
declare const __LAMPLIGHTER_VERSION__: string | undefined;
const AGENT_VERSION =
  typeof __LAMPLIGHTER_VERSION__ === 'undefined' ? '0.0.0-sources' : __LAMPLIGHTER_VERSION__;

const DEFAULT_SKEW_MS = 0;

function say(msg: string, fields: Record<string, unknown> = {}): void {
  console.log(JSON.stringify({ msg, ...fields }));
}

function agentKeyFile(): string {
  // systemd's LoadCredential= puts it where only this unit reads it.
  const credentials = process.env.CREDENTIALS_DIRECTORY;
  return credentials ? join(credentials, 'agent.key') : PATHS.agentKey;
}

function tolerance(host: string): number {
  try {
    return loadPolicy(PATHS.policy, host).policy.maxClockSkewMs;
  } catch {
    return DEFAULT_SKEW_MS;
  }
}

/** Without a valid policy the host still sends heartbeats, with `unreadable` in place of the policy's hash. */
function readWatched(host: string): { units: string[]; policyHash: string } {
  try {
    const { policy, hash } = loadPolicy(PATHS.policy, host);
    return { units: Object.keys(policy.units), policyHash: hash };
  } catch {
    return { units: readUnitNames(PATHS.policy), policyHash: 'unreadable' };
  }
}

async function sendHeartbeat(
  host: string,
  reports: ReportWriter,
  outbox: Outbox,
  dispatcher: Dispatcher,
): Promise<UnitStatus[]> {
  const { units, policyHash } = readWatched(host);
  const vitals = await readVitals(units);
  const heartbeat = await reports.write({
    type: 'host.heartbeat',
    agentVersion: AGENT_VERSION,
    policyHash,
    vitals,
    runningCommands: dispatcher.running().map((id) => CommandId.parse(id)),
  });
  await outbox.sendOnce(heartbeat);
  return vitals.units;
}

async function main(configFile: string): Promise<void> {
  const config = readConfig(configFile);
  const { host } = config;
  const stop = listenForEnd();
  mkdirSync(PATHS.agentState, { recursive: true, mode: 0o700 });
  const journal = openJournal(join(PATHS.agentState, 'journal.db'));
  const clock = (): Date => new Date();
  const reports = createReportWriter(host, keySigner(readFileSync(agentKeyFile(), 'utf8')), clock);
  Object.assign(process.env, agentGoogleEnvironment(process.env.CREDENTIALS_DIRECTORY));
  // The client takes most of the start: everything else is ready before it is loaded.
  const { connectPubsub } = await import('./cloud/pubsub.ts');
  const connection = connectPubsub(config);
  const onTrouble = (text: string): void => say('trouble', { detail: text });
  const outbox = startOutbox({ journal, host, publish: (message) => connection.publish(message), onTrouble });
  const onQueued = (): void => outbox.wake();
  const heart = createHeart({
    everyMs: config.heartbeatEveryMs,
    send: () => sendHeartbeat(host, reports, outbox, dispatcher),
    ends: watchUnitEnds({ isThere: isProcessThere, monotonicMs: () => performance.now() }),
    onTrouble,
    signal: stop,
  });
  const dispatcher = createDispatcher({
    // The control plane learns at once how the host is after a command, not half a minute later.
    onEnd: heart.wake,
    host,
    journal,
    reports,
    clock,
    onQueued,
    onTrouble,
    runsDir: PATHS.runs,
    policyFile: PATHS.policy,
    socketPath: PATHS.socket,
    signal: stop,
  });
  for (const command of journal.unfinished()) dispatcher.resume(command);
  const take = createInbox({
    host,
    pinnedKeys: readPinnedKeys(PATHS.pinnedKeys),
    maxClockSkewMs: () => tolerance(host),
    journal,
    reports,
    clock,
    onQueued,
    onCommand: (envelope, signed) => dispatcher.begin(envelope, signed),
  });
  connection.subscribe(take, onTrouble);
  say('agent started', { host, version: AGENT_VERSION });
  await heart.beat();
  await outbox.close();
  await connection.close();
  journal.close();
  say('agent stopped');
}

try {
  const options = { config: { type: 'string', default: PATHS.config } } as const;
  const usage = 'Usage: agent [--config FILE]; lamplighter-agent.service starts it.';
  await main(parseOptions({ options }, usage).values.config);
  // A handle that a client library still holds open must not keep the agent from ending.
  process.exit(0);
} catch (error) {
  say('agent failed', { error: messageOf(error), hint: hintOf(error) });
  process.exit(1);
}
