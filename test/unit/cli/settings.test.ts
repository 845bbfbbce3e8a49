import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resolveSettings } from '#cli/settings/resolve.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lamplighter-settings-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, value: unknown, mode = 0o600): string {
  const full = join(folder, path);
  mkdirSync(join(full, '..'), { recursive: true });
  writeFileSync(full, typeof value === 'string' ? value : JSON.stringify(value));
  chmodSync(full, mode);
  return full;
}

function resolve(
  flags: { url?: string; tokenFile?: string; allowHttp?: boolean } = {},
  env: Record<string, string> = {},
) {
  const cwd = join(folder, 'work/deep');
  mkdirSync(cwd, { recursive: true });
  const { url, token } = resolveSettings(flags, { env, cwd, homeDir: join(folder, 'home') });
  return { url, token: token.reveal() };
}

const NEAR = { url: 'https://near.example', token: 'near-token' };

test('flags come before the environment', () => {
  const tokenFile = write('token', 'from-flag\n');
  const env = { LAMP_URL: 'https://env.example', LAMP_TOKEN: 'env-token' };
  expect(resolve({ url: 'https://flag.example', tokenFile }, env)).toEqual({
    url: 'https://flag.example',
    token: 'from-flag',
  });
  expect(resolve({}, env)).toEqual({ url: 'https://env.example', token: 'env-token' });
});

test('the nearest file upwards comes before the one at home, and LAMP_CONFIG before both', () => {
  write('home/.config/lamp/config.json', { url: 'https://home.example', token: 'home-token' });
  expect(resolve().url).toBe('https://home.example');
  write('work/.lamplighter/lamp.json', NEAR);
  expect(resolve()).toEqual(NEAR);
  const named = write('named.json', { url: 'https://named.example', token: 'named-token' });
  expect(resolve({}, { LAMP_CONFIG: named }).url).toBe('https://named.example');
});

test('a token of the environment does not go to an address from the working directory', () => {
  write('work/.lamplighter/lamp.json', NEAR);
  expect(() => resolve({}, { LAMP_TOKEN: 'env-token' })).toThrow('the address would come from');
});

test("a file's token does not go to another address", () => {
  write('work/.lamplighter/lamp.json', NEAR);
  expect(() => resolve({ url: 'https://other.example' })).toThrow('has one for another address');
  expect(resolve({ url: 'https://near.example/' }).token).toBe('near-token');
});

test('a file that others can read is refused', () => {
  const path = write('work/.lamplighter/lamp.json', NEAR, 0o644);
  expect(() => resolve()).toThrow(`others can read it (mode 644)`);
  chmodSync(path, 0o600);
  expect(resolve()).toEqual(NEAR);
});

test.each([
  ['not json', 'document: '],
  [{ url: 'ftp://x', token: 'secret-in-file' }, 'url: not an http(s) URL'],
  [{ url: 'https://x.example' }, 'token: '],
])('a file that is none is refused without its content: %j', (value, text) => {
  write('work/.lamplighter/lamp.json', value);
  expect(() => resolve()).toThrow(text);
  expect(() => resolve()).not.toThrow('secret-in-file');
});

test('says what is missing', () => {
  expect(() => resolve()).toThrow('neither address nor token is set');
  expect(() => resolve({}, { LAMP_URL: 'https://x.example' })).toThrow('no token is set');
  expect(() => resolve({}, { LAMP_URL: 'https://u:p@x.example', LAMP_TOKEN: 't' })).toThrow(
    'the URL must begin with http:// or https://',
  );
});

test.each([
  ['http://lamp.example', false],
  ['http://127.0.0.1.evil.example', false],
  ['http://localhost.evil.example:8080', false],
  ['http://10.0.0.1:8080', false],
  ['http://[::2]', false],
  ['http://127.0.0.1:8321', true],
  ['http://127.1.2.3', true],
  ['http://localhost:8321', true],
  ['http://[::1]:8321', true],
  ['https://lamp.example', true],
])('a token goes to %s: %s', (url, isAllowed) => {
  const env = { LAMP_URL: url, LAMP_TOKEN: 't' };
  if (isAllowed) expect(resolve({}, env).url).toBe(url);
  else expect(() => resolve({}, env)).toThrow('http would show it to the network');
  expect(resolve({}, { ...env, LAMP_ALLOW_HTTP: '1' }).url).toBe(url);
  expect(resolve({ allowHttp: true }, env).url).toBe(url);
});

test('a config file with an http address of another machine is refused as well', () => {
  write('work/.lamplighter/lamp.json', { url: 'http://lamp.example', token: 't' });
  expect(() => resolve()).toThrow('send token to http://lamp.example');
});
