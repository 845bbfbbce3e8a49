// The environment of the functions, parsed. An entry point has only the variables that shared/topology.ts gives it.
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { describeFault } from '#shared/plain-issue.ts';
import { Secret } from '#shared/secret.ts';
import { parsePublicKey } from '#shared/signing/dsse.ts';
import { type EntryPointName, findEntryPoint } from '#shared/topology.ts';

const secret = () =>
  z
    .string()
    .min(1)
    .transform((value) => new Secret(value));
const list = () =>
  z.string().transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );
/** A JSON object: the name of each secret and its value. */
const secretsByName = (minLength: number) => () =>
  z
    .string()
    .transform((text, context) => {
      try {
        return z.record(z.string(), z.string().min(minLength)).parse(JSON.parse(text));
      } catch {
        context.addIssue(`it is not a JSON object of names and values of at least ${minLength} characters`);
        return z.NEVER;
      }
    })
    .transform(
      (entries) => new Map(Object.entries(entries).map(([name, value]) => [name, new Secret(value)])),
    );

/** PEM blocks, one after the other. */
const PEM_PUBLIC_KEY = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g;
const publicKeys = () =>
  z.string().transform((text, context) => {
    const pems = text.match(PEM_PUBLIC_KEY) ?? [];
    try {
      if (pems.length > 0) return pems.map(parsePublicKey);
    } catch {
      // Reported below.
    }
    context.addIssue('not one or more Ed25519 public keys in PEM');
    return z.NEVER;
  });

/** Each schema is made when its variable is read: an entry point has only a few of them. */
const VARIABLES = {
  GOOGLE_CLOUD_PROJECT: () => z.string().min(1),
  DATABASE_URL: secret,
  DATABASE_CA: () => z.string().includes('BEGIN CERTIFICATE', 'it is not a certificate in PEM'),
  /** The login of the schema's owner, for migrations and tokens only; DATABASE_URL is the login of the functions. */
  OWNER_DATABASE_URL: secret,
  SIGN_URL: () => z.url(),
  SIGNING_KEY: () => z.string().min(1),
  /** Of the current signing key and its predecessors. */
  SIGNING_PUBLIC_KEYS: publicKeys,
  OIDC_AUDIENCE: () => z.url(),
  OIDC_CALLERS: list,
  OIDC_CERTS_URL: () => z.url(),
  /** What alert channels need to reach people; the runbook names one by its name. */
  CHANNEL_SECRETS: secretsByName(1),
  MAIL_FROM: () => z.string().min(3),
  BACKUP_BUCKET: () => z.string().min(3),
  STORAGE_API_ENDPOINT: () => z.url(),
  /** HMAC keys that callers of webhooks sign with. */
  WEBHOOK_SECRETS: secretsByName(16),
  LIVE_URL: () => z.url({ protocol: /^wss?$/, error: 'it is not an address such as wss://live.example.com' }),
  API_URL: () => z.url(),
  /** Set by Cloud Run. */
  K_SERVICE: () => z.string().min(1),
};
type Variables = typeof VARIABLES;
export type VariableName = keyof Variables;

export interface Config {
  /** The variable's value. Throws `internal` when it is not set or malformed; the message does not contain the value. */
  get<N extends VariableName>(name: N): z.infer<ReturnType<Variables[N]>>;
  /** As `get`, for a variable that may be missing. */
  find<N extends VariableName>(name: N): z.infer<ReturnType<Variables[N]>> | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

function fault(name: string, reason: string): LamplighterError {
  return new LamplighterError('internal', `read variable ${name}: ${reason}`, {
    hint: `Set ${name} in the function's environment.`,
  });
}

function find<N extends VariableName>(
  name: N,
  env: Environment,
): z.infer<ReturnType<Variables[N]>> | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  const parsed = VARIABLES[name]().safeParse(text);
  if (parsed.error) throw fault(name, describeFault(parsed.error));
  return parsed.data as z.infer<ReturnType<Variables[N]>>;
}

/** Parses each variable when it is read. */
export function readConfig(env: Environment): Config {
  return {
    get: (name) => {
      const value = find(name, env);
      if (value === undefined) throw fault(name, 'it is not set');
      return value;
    },
    find: (name) => find(name, env),
  };
}

/** Throws `internal` with all missing and malformed variables that an entry point needs. Runs before its first request. */
export function checkConfig(entryPoint: EntryPointName, env: Environment): void {
  const needed = findEntryPoint(entryPoint).variables;
  const config = readConfig(env);
  const faults = (['GOOGLE_CLOUD_PROJECT', ...needed] as const).flatMap((name) => {
    try {
      config.get(name);
      return [];
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    }
  });
  if (faults.length > 0) throw new LamplighterError('internal', `start ${entryPoint}: ${faults.join('; ')}`);
}
