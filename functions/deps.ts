// The dependencies of handlers, made once per process, each at its first use so that a function starts fast.

import type { IncomingMessage } from 'node:http';
import type { Signer } from '#shared/signing/dsse.ts';
import { type EntryPointName, findEntryPoint } from '#shared/topology.ts';
import { createFunctionCaller, type FunctionCaller } from './cloud/identity.ts';
import type { CallerVerifier } from './cloud/oidc.ts';
import { createPublisher, type Publisher } from './cloud/publisher.ts';
import { type BucketOpener, createBucketOpener } from './cloud/storage.ts';
import { type Config, readConfig } from './config.ts';
import { addressOf } from './denial/denied.ts';
import { createDenialRecorder, type DenialRecorder } from './denial/recorder.ts';
import { createLog, type Log } from './log.ts';
import { type Database, openDatabase } from './store/database.ts';

export interface Deps {
  config: Config;
  db: Database;
  clock: () => Date;
  log: Log;
  publisher: Publisher;
  /** Opens a Cloud Storage bucket by name. */
  openBucket: BucketOpener;
  /** Asks the entry point `sign` to sign and publish a command. Throws `unavailable` when `sign` can't be reached. */
  signCommand: (commandId: string) => Promise<void>;
  /** Asks the entry point `sign` to anchor the audit trail's head. Throws as `signCommand`. */
  anchorAudit: () => Promise<void>;
  /** The signing key; only `sign` has its variable and the right to use it. */
  loadSigner: () => Promise<Signer>;
  /** Verifies the caller of a private function. */
  verifyCaller: CallerVerifier;
  /** Records denials. */
  denials: DenialRecorder;
  /** The address that a request came from. */
  addressOf: (req: IncomingMessage) => string;
}

/** Keeps the first successful outcome. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    if (made) return made;
    const attempt = make();
    made = attempt;
    attempt.catch(() => {
      made = undefined;
    });
    return attempt;
  };
}

function verifierFrom(config: Config): CallerVerifier {
  const load = once(async () => {
    const { createCallerVerifier } = await import('./cloud/oidc.ts');
    return createCallerVerifier({
      audience: config.get('OIDC_AUDIENCE'),
      callers: config.get('OIDC_CALLERS'),
      certsUrl: config.find('OIDC_CERTS_URL'),
      // Only private entry points have an audience (shared/topology.ts), and IAM stands before each of them.
      isBehindIam: config.find('K_SERVICE') !== undefined,
    });
  });
  return async (headers) => (await load())(headers);
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The dependencies of an entry point, from the environment. */
export function createDeps(
  env: Readonly<Record<string, string | undefined>>,
  entryPoint: EntryPointName,
): Deps {
  const config = readConfig(env);
  const { connections, variables } = findEntryPoint(entryPoint);
  const login = variables.includes('OWNER_DATABASE_URL') ? 'OWNER_DATABASE_URL' : 'DATABASE_URL';
  const database = lazily(() =>
    openDatabase(config.get(login).reveal(), {
      maxConnections: connections.pool,
      serverCa: config.find('DATABASE_CA'),
    }),
  );
  const publisher = lazily(() => createPublisher(config.get('GOOGLE_CLOUD_PROJECT')));
  const bucketOpener = lazily(() =>
    createBucketOpener({
      projectId: config.get('GOOGLE_CLOUD_PROJECT'),
      apiEndpoint: config.find('STORAGE_API_ENDPOINT'),
    }),
  );
  const caller: () => FunctionCaller = lazily(createFunctionCaller);
  const clock = () => new Date();
  const log = createLog();
  const isOnCloudRun = config.find('K_SERVICE') !== undefined;
  return {
    config,
    clock,
    log,
    denials: createDenialRecorder(
      {
        clock,
        log,
        get db() {
          return database();
        },
      },
      entryPoint,
    ),
    addressOf: (req) => addressOf(req, isOnCloudRun),
    get db() {
      return database();
    },
    get publisher() {
      return publisher();
    },
    openBucket: (name) => bucketOpener()(name),
    signCommand: async (commandId) => {
      await caller().post(config.get('SIGN_URL'), { commandId });
    },
    anchorAudit: async () => {
      await caller().post(config.get('SIGN_URL'), { anchorAudit: true });
    },
    loadSigner: once(async () => {
      const { loadSigner } = await import('./cloud/signer.ts');
      return await loadSigner(config.get('SIGNING_KEY'));
    }),
    verifyCaller: verifierFrom(config),
  };
}
