// The control plane's side of the local stack: database, Pub/Sub, storage, identities, mail, functions, scheduler.
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { PubSub } from '@google-cloud/pubsub';
import { Storage } from '@google-cloud/storage';
import * as z from 'zod';
import { type Database, openDatabase } from '#functions/store/database.ts';
import { functionsUrl, letFunctionsIn } from '#functions/store/functions-role.ts';
import { migrate } from '#functions/store/migrate.ts';
import { createToken, listTokens, useToken } from '#functions/store/tokens.ts';
import { startGcs } from '#local/cloud/gcs/server.ts';
import { startIdentityServer } from '#local/cloud/identity/server.ts';
import { createTokenMint, type TokenMint } from '#local/cloud/identity/token-mint.ts';
import { startMailServer } from '#local/cloud/mail/server.ts';
import { startPushBridge } from '#local/cloud/pubsub/push-bridge.ts';
import { startPubsub } from '#local/cloud/pubsub/server.ts';
import { type Scheduler, startScheduler } from '#local/cloud/scheduler/scheduler.ts';
import { startCluster } from '#local/demo/postgres/cluster.ts';
import { findFreePort, holdPort } from '#local/ports.ts';
import { DATABASE_CONNECTIONS, type EntryPointName, PUSH_ROUTES, SCHEDULES } from '#shared/topology.ts';
import type { Closing } from './closing.ts';
import { type FunctionPlan, startFunctions, urlOf } from './functions.ts';
import type { StackHome } from './home.ts';
import { BACKUP_BUCKET, PROJECT_ID, serviceAccountEmail } from './identities.ts';
import type { StackKeys } from './keys.ts';
import { openNotifier } from './notifications.ts';
import { type ProvisionOptions, type PushTarget, provisionPubsub } from './provision.ts';

export interface CloudOptions {
  home: StackHome;
  keys: StackKeys;
  /** Where the host reaches Pub/Sub, storage and the live relay. */
  bindAddress: string;
  hosts: readonly string[];
  apiPort: number;
  tickMs: number;
  functionsSource: string;
  pubsubAddress?: string;
  onStep(text: string): void;
  onTrouble(text: string): void;
}

export interface Cloud {
  url: string;
  token: string;
  databaseUrl: string;
  pubsubAddress: string;
  storageEndpoint: string;
  /** Where the agent dials for live logs. */
  liveUrl: string;
  /** Starts the scheduler: before this, nothing is watched. */
  startTicking(): void;
  /** Runs a scheduled job now. */
  runJob(name: string): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const DAY_MS = 24 * 60 * 60 * 1000;

/** What the steps of the start share. */
interface Start {
  options: CloudOptions;
  closing: Closing;
  mint: TokenMint;
  places: FunctionPlan['places'];
}

/** Starts the cloud's stand-ins and the functions; everything started is added to `closing`. */
export async function startCloud(options: CloudOptions, closing: Closing): Promise<Cloud> {
  // This process runs Google's clients without credentials: they need not look for a metadata server.
  process.env.METADATA_SERVER_DETECTION = 'none';
  const { home } = options;
  options.onStep('starting the database, Pub/Sub, storage and mail');
  const database = await openStore(options, closing);
  const start: Start = { options, closing, mint: createTokenMint(), places: await choosePlaces(options) };
  const { mint, places } = start;
  const identity = await closing.open('identity', startIdentityServer(mint, PROJECT_ID));
  const mail = await closing.open('mail', startMailServer({ host: LOOPBACK, port: 0, dir: home.mail }));
  const pubsubAddress = await openPubsub(start);
  const storageEndpoint = await openStorage(start, pubsubAddress);
  options.onStep('starting the functions');
  const functions = await startFunctions({
    source: options.functionsSource,
    logsDir: home.logs,
    identity,
    places,
    pubsubAddress,
    storageEndpoint,
    values: functionValues(start, database, mail.url),
  });
  for (const running of functions) closing.add('function', () => running.close());
  return {
    url: urlOf(places, 'api'),
    token: database.token,
    databaseUrl: database.url,
    pubsubAddress,
    storageEndpoint,
    liveUrl: liveUrlOf(places),
    ...prepareScheduler(start),
  };
}

interface Store {
  /** The owner's. */
  url: string;
  /** The functions', whose role may do less. */
  functionsUrl: string;
  token: string;
}

async function openStore({ home }: CloudOptions, closing: Closing): Promise<Store> {
  // As few connections as the cloud's smallest instance allows, so that what needs more fails here first.
  const terms = { dataDir: home.postgres, fsync: true, maxConnections: DATABASE_CONNECTIONS.limit };
  const cluster = await closing.open('database', startCluster(terms));
  const url = await cluster.ensureDatabase('lamplighter');
  const db = openDatabase(url);
  try {
    await migrate(db);
    const password = randomBytes(24).toString('hex');
    const login = functionsUrl(url, password);
    await letFunctionsIn(db, login);
    return { url, functionsUrl: login, token: await keepToken(db, home.lampConfig) };
  } finally {
    await db.close();
  }
}

const LampConfig = z.object({ token: z.string() });

/** The token that `lamp` has from an earlier run, while it holds; else a new one. */
async function keepToken(db: Database, lampConfig: string): Promise<string> {
  if (existsSync(lampConfig)) {
    const kept = LampConfig.safeParse(JSON.parse(readFileSync(lampConfig, 'utf8')));
    if (kept.success && (await useToken(db, kept.data.token))) return kept.data.token;
  }
  const isTaken = (await listTokens(db)).some(({ name }) => name === 'local');
  return await createToken(db, {
    name: isTaken ? `local-${randomUUID().slice(0, 8)}` : 'local',
    role: 'admin',
  });
}

/** Starts our Pub/Sub, or turns to another; its address. */
async function openPubsub(start: Start): Promise<string> {
  const { options, closing, mint } = start;
  const { bindAddress: host } = options;
  const elsewhere = options.pubsubAddress?.replace('0.0.0.0', host);
  if (elsewhere !== undefined) {
    await provision(start, elsewhere);
    await closing.open('push bridge', startBridge(start, elsewhere));
    return elsewhere;
  }
  const port = await findFreePort(host, 8085);
  const terms = { host, port, dataDir: options.home.pubsub, mintIdToken: mint.mintIdToken };
  const { address } = await closing.open('pubsub', startPubsub(terms));
  await provision(start, address, (entryPoint) => pushTarget(start, entryPoint));
  return address;
}

/** Makes the topics and subscriptions; without `target` nothing is pushed. */
async function provision(
  { options: { hosts } }: Start,
  apiEndpoint: string,
  target: ProvisionOptions['pushTarget'] = () => undefined,
): Promise<void> {
  const pubsub = new PubSub({ projectId: PROJECT_ID, apiEndpoint, emulatorMode: true });
  try {
    await provisionPubsub({ pubsub, hosts, pushTarget: target });
  } finally {
    await pubsub.close();
  }
}

function pushTarget({ places }: Start, entryPoint: EntryPointName): PushTarget {
  return { endpoint: urlOf(places, entryPoint), serviceAccountEmail: serviceAccountEmail('push') };
}

function startBridge(start: Start, pubsubAddress: string): ReturnType<typeof startPushBridge> {
  const routes = PUSH_ROUTES.map(({ topic, entryPoint }) => {
    const { endpoint, serviceAccountEmail: email } = pushTarget(start, entryPoint);
    return { subscription: topic, endpoint, oidc: { serviceAccountEmail: email, audience: endpoint } };
  });
  const { mintIdToken } = start.mint;
  return startPushBridge({ pubsubAddress, projectId: PROJECT_ID, mintIdToken, routes });
}

/** Starts the storage, whose notifications go to Pub/Sub; its URL. */
async function openStorage({ options, closing }: Start, pubsubAddress: string): Promise<string> {
  const { bindAddress: host, home } = options;
  const notifier = openNotifier(pubsubAddress);
  closing.add('notifications', () => notifier.close());
  const port = await findFreePort(host, 4443);
  const { url } = await closing.open(
    'storage',
    startGcs({ host, port, dataDir: home.gcs, notify: notifier.publish }),
  );
  const bucket = new Storage({ apiEndpoint: url, projectId: PROJECT_ID }).bucket(BACKUP_BUCKET);
  if (!(await bucket.exists())[0]) await bucket.create();
  return url;
}

async function choosePlaces(options: CloudOptions): Promise<FunctionPlan['places']> {
  return {
    api: await holdPort(LOOPBACK, options.apiPort),
    live: await holdPort(options.bindAddress, 8090),
    sign: await holdPort(LOOPBACK),
    report: await holdPort(LOOPBACK),
    watch: await holdPort(LOOPBACK),
    notify: await holdPort(LOOPBACK),
    'verify-object': await holdPort(LOOPBACK),
    verify: await holdPort(LOOPBACK),
    admin: await holdPort(LOOPBACK),
  };
}

function liveUrlOf(places: FunctionPlan['places']): string {
  return urlOf(places, 'live').replace('http', 'ws');
}

function functionValues(
  { options: { keys }, places }: Start,
  database: Store,
  smtpUrl: string,
): FunctionPlan['values'] {
  return {
    DATABASE_URL: database.functionsUrl,
    OWNER_DATABASE_URL: database.url,
    SIGN_URL: urlOf(places, 'sign'),
    SIGNING_KEY: `file:${keys.signingKeyFile}`,
    SIGNING_PUBLIC_KEYS: readFileSync(keys.signingPublicKeyFile, 'utf8'),
    CHANNEL_SECRETS: JSON.stringify({ smtp: smtpUrl }),
    MAIL_FROM: 'Lamplighter <lamplighter@example.com>',
    BACKUP_BUCKET,
    WEBHOOK_SECRETS: JSON.stringify({ 'restart-hook': keys.webhookSecret }),
    LIVE_URL: liveUrlOf(places),
    API_URL: urlOf(places, 'api'),
  };
}

function prepareScheduler({ options, closing, mint, places }: Start): Pick<Cloud, 'startTicking' | 'runJob'> {
  let scheduler: Scheduler | undefined;
  const startTicking = (): void => {
    scheduler ??= startScheduler({
      jobs: SCHEDULES.map(({ name, entryPoint, body }) => ({
        name,
        url: urlOf(places, entryPoint),
        everyMs: name === 'watch' ? options.tickMs : DAY_MS,
        body,
        serviceAccountEmail: serviceAccountEmail('scheduler'),
      })),
      mintIdToken: mint.mintIdToken,
      onFailure: (job, message) => options.onTrouble(`scheduled job ${job}: ${message}`),
    });
    const started = scheduler;
    closing.add('scheduler', () => started.close());
  };
  return { startTicking, runJob: async (name) => await scheduler?.runNow(name) };
}
