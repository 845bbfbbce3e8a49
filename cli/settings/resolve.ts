// Which control plane, and as whom: flags, then the environment, then a config file.

import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { Secret } from '#shared/secret.ts';
import type { Io } from '../io.ts';
import { type Config, findConfigUpwards, readConfig, readTokenFile } from './config-file.ts';

export interface Settings {
  url: string;
  token: Secret;
}

export interface SettingsFlags {
  url?: string | undefined;
  tokenFile?: string | undefined;
  allowHttp?: boolean | undefined;
}

type Edges = Pick<Io, 'env' | 'cwd' | 'homeDir'>;

/**
 * Settles address and token. A token never goes to an address that it was not given for: one from a file goes only to
 * that file's address, and one from the environment never to an address that a file in the working directory names
 * (such a file may come with somebody else's checkout).
 */
export function resolveSettings(flags: SettingsFlags, io: Edges): Settings {
  const settings = settle(flags, io);
  requireTls(settings.url, flags, io);
  return settings;
}

function settle(flags: SettingsFlags, io: Edges): Settings {
  const givenUrl = flags.url ?? io.env['LAMP_URL'];
  const givenToken = explicitToken(flags, io);
  if (givenUrl && givenToken) return { url: checkUrl(givenUrl), token: givenToken };
  const found = locateConfig(io);
  if (!found) throw notConfigured(givenUrl, givenToken);
  const config = readConfig(found.path);
  if (givenToken) return withGivenToken(config, givenToken, found.isDiscovered);
  return givenUrl ? withGivenUrl(config, checkUrl(givenUrl)) : { url: config.url, token: config.token };
}

function explicitToken(flags: SettingsFlags, io: Edges): Secret | undefined {
  if (flags.tokenFile) return readTokenFile(flags.tokenFile);
  const token = io.env['LAMP_TOKEN']?.trim();
  return token ? new Secret(token) : undefined;
}

function withGivenToken(config: Config, token: Secret, isDiscovered: boolean): Settings {
  if (!isDiscovered) return { url: config.url, token };
  throw new LamplighterError(
    'invalid-input',
    `choose address: the token is given separately, but the address would come from ${config.path}`,
    { hint: 'Give the address too (LAMP_URL or --url), or unset LAMP_TOKEN to use the file for both.' },
  );
}

function withGivenUrl(config: Config, url: string): Settings {
  if (new URL(url).origin === new URL(config.url).origin) return { url, token: config.token };
  throw new LamplighterError(
    'invalid-input',
    `find token for ${url}: ${config.path} has one for another address`,
    {
      hint: 'Give the token with LAMP_TOKEN or --token-file.',
    },
  );
}

function locateConfig(io: Edges): { path: string; isDiscovered: boolean } | undefined {
  const named = io.env['LAMP_CONFIG'];
  if (named) return { path: named, isDiscovered: false };
  const near = findConfigUpwards(io.cwd);
  if (near) return { path: near, isDiscovered: true };
  const own = join(io.homeDir, '.config', 'lamp', 'config.json');
  return lstatSync(own, { throwIfNoEntry: false }) ? { path: own, isDiscovered: false } : undefined;
}

function checkUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed && /^https?:$/.test(parsed.protocol) && !parsed.username && !parsed.password) return url;
  throw new LamplighterError(
    'invalid-input',
    'choose address: the URL must begin with http:// or https:// and hold no user name or password',
    {
      hint: 'For example https://lamplighter.example.com.',
    },
  );
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** True for a name or an address, as URL has it, that stays on this machine. */
export function isLoopback(hostname: string): boolean {
  return LOOPBACK.test(hostname);
}

/** Throws unless what goes there is encrypted, stays on this machine, or is wanted in clear all the same. */
function requireTls(url: string, flags: SettingsFlags, io: Edges): void {
  const { protocol, hostname, origin } = new URL(url);
  if (protocol === 'https:' || isLoopback(hostname)) return;
  if (flags.allowHttp === true || io.env['LAMP_ALLOW_HTTP'] === '1') return;
  throw new LamplighterError('invalid-input', `send token to ${origin}: http would show it to the network`, {
    hint: 'Use the https address. For a private network of your own: --allow-http, or LAMP_ALLOW_HTTP=1.',
  });
}

function notConfigured(url: string | undefined, token: Secret | undefined): LamplighterError {
  const missing = url ? 'no token' : token ? 'no address' : 'neither address nor token';
  return new LamplighterError('invalid-input', `find the control plane: ${missing} is set`, {
    hint: 'Run inside a checkout where `npm start` runs, or set LAMP_URL and LAMP_TOKEN, or write ~/.config/lamp/config.json.',
  });
}
