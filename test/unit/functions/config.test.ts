import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { checkConfig, readConfig } from '#functions/config.ts';

const ENV = {
  GOOGLE_CLOUD_PROJECT: 'p',
  DATABASE_URL: 'postgresql://u:very-secret@h/d',
  OIDC_AUDIENCE: 'https://report.example.com',
  OIDC_CALLERS: 'a@example.com, b@example.com,',
  WEBHOOK_SECRETS: '{"hook":"sixteen characters or more"}',
};

test('values are parsed', () => {
  const config = readConfig(ENV);
  expect(config.get('OIDC_CALLERS')).toEqual(['a@example.com', 'b@example.com']);
  expect(config.get('WEBHOOK_SECRETS').get('hook')?.reveal()).toBe('sixteen characters or more');
  expect(config.find('STORAGE_API_ENDPOINT')).toBeUndefined();
});

test('a secret does not show itself', () => {
  const secret = readConfig(ENV).get('DATABASE_URL');
  expect(`${String(secret)} ${JSON.stringify({ secret })} ${inspect(secret)}`).not.toContain('very-secret');
});

test('an entry point names all that it misses at once, and no value', () => {
  expect(() => checkConfig('report', ENV)).not.toThrow();
  const broken = { ...ENV, DATABASE_URL: '', OIDC_AUDIENCE: 'not a very-secret url' };
  expect(() => checkConfig('report', broken)).toThrow(/DATABASE_URL.*OIDC_AUDIENCE/);
  expect(() => checkConfig('report', broken)).not.toThrow(/very-secret/);
});

test.each([
  ['OIDC_AUDIENCE', 'report', 'not an address such as https://example.com'],
  ['LIVE_URL', 'https://live.example.com', 'it is not an address such as wss://live.example.com'],
  ['MAIL_FROM', 'x', 'it must be at least 3 characters long'],
  ['DATABASE_CA', 'x', 'it is not a certificate in PEM'],
] as const)('of %s it says in plain words what would be right', (name, text, told) => {
  expect(() => readConfig({ [name]: text }).get(name)).toThrow(`read variable ${name}: ${told}`);
});

test.each(['{"hook":"short"}', '[]', 'hook=key'])('webhook secrets can’t be %s', (text) => {
  expect(() => readConfig({ WEBHOOK_SECRETS: text }).get('WEBHOOK_SECRETS')).toThrow('WEBHOOK_SECRETS');
});

test('a channel’s secret may be short, but not empty', () => {
  const read = (text: string) => readConfig({ CHANNEL_SECRETS: text }).get('CHANNEL_SECRETS');
  expect(read('{"pager":"x"}').get('pager')?.reveal()).toBe('x');
  expect(() => read('{"pager":""}')).toThrow('a JSON object of names and values of at least 1 character');
});

test('public keys are one PEM block or several, and nothing else', () => {
  const pem = () =>
    generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const read = (text: string) => readConfig({ SIGNING_PUBLIC_KEYS: text }).get('SIGNING_PUBLIC_KEYS');
  expect(read(pem())).toHaveLength(1);
  expect(read(`${pem()}\n${pem()}`).map(({ asymmetricKeyType }) => asymmetricKeyType)).toEqual([
    'ed25519',
    'ed25519',
  ]);
  const other = generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  for (const text of ['key', other, `${pem()}${other}`])
    expect(() => read(text)).toThrow('SIGNING_PUBLIC_KEYS');
});
