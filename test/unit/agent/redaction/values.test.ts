// Known values are hidden in every encoding and in any surroundings. The secrets are generated.
import { describe, expect, test } from 'vitest';
import { AT_START } from '#agent/redaction/matcher.ts';
import { createValueRedactor, MARK } from '#agent/redaction/values.ts';

/** Numbers that look random and are the same in every run (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ALPHABETS = [
  'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
  '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~ aZ09',
  'äöüßŁ€漢字😀🗝 a9/',
];
const SURROUNDINGS = 'abc xyz 0123 {"k":1} \\ % & \'';

function pick(random: () => number, alphabet: string, length: number): string {
  const characters = Array.from(alphabet);
  return Array.from({ length }, () => characters[Math.floor(random() * characters.length)]).join('');
}

/** Secrets of 8 to 200 characters without blanks at their ends. */
function generateSecrets(count: number): string[] {
  const random = createRandom(20_261_126);
  return Array.from({ length: count }, (_, i) => {
    const length = i % 10 === 0 ? 200 : 8 + Math.floor(random() * 40);
    return `k${pick(random, ALPHABETS[i % ALPHABETS.length] ?? '', length)}9`;
  });
}

function percentAll(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function entities(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

const shifted = (before: string, kind: 'base64' | 'base64url') => (text: string) =>
  Buffer.from(`${before}${text}:after`).toString(kind);

const ENCODINGS: Record<string, (text: string) => string> = {
  'as it is': (text) => text,
  JSON: (text) => JSON.stringify(text),
  'JSON in ASCII': asciiJson,
  'JSON within JSON': (text) => JSON.stringify(JSON.stringify({ a: text })),
  'JSON with \\/': (text) => JSON.stringify(text).replaceAll('/', '\\/'),
  'a URL component': encodeURIComponent,
  'a URL component, lower case': (text) =>
    encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (octet) => octet.toLowerCase()),
  'a URL component twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  'every byte in percent': percentAll,
  'a form field': (text) => new URLSearchParams({ a: text }).toString(),
  'HTML entities': entities,
  'an SQL literal': (text) => `'${text.replaceAll("'", "''")}'`,
  hex: (text) => Buffer.from(text).toString('hex'),
  HEX: (text) => Buffer.from(text).toString('hex').toUpperCase(),
  base64: (text) => Buffer.from(text).toString('base64'),
  'base64 after one byte': shifted('u', 'base64'),
  'base64 after two bytes': shifted('u:', 'base64'),
  'base64 after three bytes': shifted('us:', 'base64'),
  base64url: (text) => Buffer.from(text).toString('base64url'),
  'base64url after one byte': shifted('u', 'base64url'),
  'base64url after two bytes': shifted('u:', 'base64url'),
  'base64 in percent': (text) => encodeURIComponent(shifted('u', 'base64')(text)),
  'a base64 data URL in JSON': (text) => JSON.stringify({ url: `data:,${shifted('', 'base64')(text)}` }),
};

describe('generated secrets', () => {
  const secrets = generateSecrets(120);
  const redactor = createValueRedactor(secrets);
  const random = createRandom(7);

  test.each(Object.entries(ENCODINGS))('are hidden as %s', (name, encode) => {
    for (const secret of secrets) {
      const before = pick(random, SURROUNDINGS, Math.floor(random() * 30)).replace(/['%\\&]+$/, '');
      const encoded = encode(secret);
      const redacted = redactor.redact(`${before} ${encoded} after`);
      expect(redacted, `${name} of ${secret}`).toContain(MARK);
      expect(redacted).toMatch(/after$/);
      // In base64 the neighbouring characters may stay, but not four characters of the secret in a row.
      const inner = Buffer.from(secret).toString('base64').slice(4, -6);
      for (const form of [secret, encodeURIComponent(secret), inner]) expect(redacted).not.toContain(form);
    }
  });

  test('are hidden wherever a text is split', () => {
    for (const secret of secrets.slice(0, 30)) {
      const text = `left ${secret} right`;
      for (let at = 1; at < text.length; at++) {
        const first = redactor.redactPart(text.slice(0, at), { state: AT_START, goesOn: true });
        const second = redactor.redactPart(text.slice(at), { state: first.state, goesOn: false });
        const shown = `${first.text}${second.text}`.replaceAll(MARK, '');
        expect(shown.length, `${secret} split at ${at}: ${shown}`).toBeLessThanOrEqual('left  right'.length);
      }
    }
  });
});
