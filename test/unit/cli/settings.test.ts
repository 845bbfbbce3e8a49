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

function resolve(flags: { url?: string; tokenFile?: string } = {}, env: Record<string, string> = {}) {
  const cwd = join(folder, 'work/deep');
  mkdirSync(cwd, { recursive: true });
  const { url, token } = resolveSettings(flags, { env, cwd, homeDir: join(folder, 'home') });
  return { url, token: token.reveal() };
}

const NEAR = { url: 'http://near.example', token: 'near-token' };

test('flags come before the environment', () => {
  const tokenFile = write('token', 'from-flag\n');
  const env = { LAMP_URL: 'http://env.example', LAMP_TOKEN: 'env-token' };
  expect(resolve({ url: 'http://flag.example', tokenFile }, env)).toEqual({
    url: 'http://flag.example',
    token: 'from-flag',
  });
  expect(resolve({}, env)).toEqual({ url: 'http://env.example', token: 'env-token' });
});

test('the nearest file upwards comes before the one at home, and LAMP_CONFIG before both', () => {
  write('home/.config/lamp/config.json', { url: 'http://home.example', token: 'home-token' });
  expect(resolve().url).toBe('http://home.example');
  write('work/.lamplighter/lamp.json', NEAR);
  expect(resolve()).toEqual(NEAR);
  const named = write('named.json', { url: 'http://named.example', token: 'named-token' });
  expect(resolve({}, { LAMP_CONFIG: named }).url).toBe('http://named.example');
});

test('a token of the environment does not go to an address from the working directory', () => {
  write('work/.lamplighter/lamp.json', NEAR);
  expect(() => resolve({}, { LAMP_TOKEN: 'env-token' })).toThrow('the address would come from');
});

test("a file's token does not go to another address", () => {
  write('work/.lamplighter/lamp.json', NEAR);
  expect(() => resolve({ url: 'http://other.example' })).toThrow('has one for another address');
  expect(resolve({ url: 'http://near.example/' }).token).toBe('near-token');
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
  [{ url: 'http://x.example' }, 'token: '],
])('a file that is none is refused without its content: %j', (value, text) => {
  write('work/.lamplighter/lamp.json', value);
  expect(() => resolve()).toThrow(text);
  expect(() => resolve()).not.toThrow('secret-in-file');
});

test('says what is missing', () => {
  expect(() => resolve()).toThrow('neither address nor token is set');
  expect(() => resolve({}, { LAMP_URL: 'http://x.example' })).toThrow('no token is set');
  expect(() => resolve({}, { LAMP_URL: 'http://u:p@x.example', LAMP_TOKEN: 't' })).toThrow(
    'not an http(s) URL',
  );
});
