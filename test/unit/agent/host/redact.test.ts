import { afterEach, describe, expect, test } from 'vitest';
import { createLineRedactor, hideValues, redact, redactLines } from '#agent/host/redact.ts';

test.each([
  ['a URL', 'postgres://app:hunter2@db:5432/x', 'postgres://app:[REDACTED]@db:5432/x'],
  ['a bearer token', 'Authorization: Bearer abcdef0123456789', 'Authorization: Bearer [REDACTED]'],
  ['an assignment', 'PGPASSWORD=hunter2 psql', 'PGPASSWORD=[REDACTED] psql'],
  ['JSON', '{"password": "hunter2", "user": "app"}', '{"password": "[REDACTED]", "user": "app"}'],
  ['YAML', 'api_key: hunter2', 'api_key: [REDACTED]'],
  ['an age identity', 'AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQ', '[REDACTED]'],
  [
    'a key on one line',
    'x -----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY----- y',
    'x -----BEGIN PRIVATE KEY----- [REDACTED] y',
  ],
])('hides the secret in %s', (_name, text, expected) => {
  expect(redact(text)).toBe(expected);
});

test.each([
  'GET /api/engines 200 12 ms',
  'a password is needed',
  'listening on http://127.0.0.1:8080',
  'token bucket is full',
  '-----BEGIN CERTIFICATE-----',
])('leaves "%s"', (text) => {
  expect(redact(text)).toBe(text);
});

describe('a private key over several lines', () => {
  const KEY = ['-----BEGIN EC PRIVATE KEY-----', 'MHcCAQEE', 'abc=', '-----END EC PRIVATE KEY-----'];

  test('is hidden wholly, and what is around it stays', () => {
    const lines = redactLines(['before', ...KEY, 'after']);
    expect(lines).toEqual([
      'before',
      '-----BEGIN EC PRIVATE KEY----- [REDACTED]',
      '[REDACTED]',
      '[REDACTED]',
      '[REDACTED]',
      'after',
    ]);
  });

  test('is hidden when its beginning was cut off', () => {
    expect(redactLines(['GET / 200', ...KEY.slice(1), 'after'])).toEqual([
      'GET / 200',
      '[REDACTED]',
      '[REDACTED]',
      '[REDACTED]',
      'after',
    ]);
  });

  test('that never ends does not hide the rest of the log', () => {
    const line = createLineRedactor();
    expect([...KEY.slice(0, 2), 'GET /api 200 (ok)', 'PASSWORD=hunter2'].map((text) => line(text))).toEqual([
      '-----BEGIN EC PRIVATE KEY----- [REDACTED]',
      '[REDACTED]',
      'GET /api 200 (ok)',
      'PASSWORD=[REDACTED]',
    ]);
  });
});

describe('with known values', () => {
  afterEach(() => hideValues([]));

  test('hides them before patterns, in texts and in lines', () => {
    hideValues(['correct horse', 'plain-Word-77']);
    expect(redact('the user said correct horse to plain-Word-77')).toBe(
      'the user said [REDACTED] to [REDACTED]',
    );
    expect(redactLines(['a correct%20horse', 'b'])).toEqual(['a [REDACTED]', 'b']);
  });

  test('hides one that journald split between two entries', () => {
    hideValues(['correct-horse-battery']);
    const line = createLineRedactor();
    expect([line('x correct-ho', true), line('rse-battery y', false), line('rse', false)]).toEqual([
      'x [REDACTED]',
      '[REDACTED] y',
      'rse',
    ]);
  });
});

test('a stream that begins inside a private key hides its lines', () => {
  const line = createLineRedactor();
  const body = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj';
  expect([body, body, '-----END PRIVATE KEY-----', 'after', body].map((text) => line(text))).toEqual([
    '[REDACTED]',
    '[REDACTED]',
    '[REDACTED]',
    'after',
    body,
  ]);
});

describe('no line takes long, whatever the product prints', () => {
  const BEGIN = '-----BEGIN PRIVATE KEY-----';
  const MANY = 400_000;

  // A pattern that looked for blanks on both sides of a key's line took hours.
  test.each([
    ['blanks', `${' '.repeat(MANY)}!`],
    ['blanks around base64', `${' '.repeat(MANY)}QUFB${' '.repeat(MANY)}!`],
    ['base64', `${'A'.repeat(MANY)}!`],
    ['a header', `A${'a'.repeat(MANY)}: ${' '.repeat(MANY)}`],
  ])('%s', (_name, line) => {
    expect(redactLines([line, BEGIN, line, 'QUFB'])).toEqual([line, `${BEGIN} [REDACTED]`, line, 'QUFB']);
    expect(redactLines([line, '-----END PRIVATE KEY-----'])).toEqual([line, '[REDACTED]']);
  });

  test('a key in one long line is hidden', () => {
    expect(redactLines([BEGIN, 'A'.repeat(3000), 'after it'])).toEqual([
      `${BEGIN} [REDACTED]`,
      '[REDACTED]',
      'after it',
    ]);
  });

  test('blanks around the lines of a key do not show them', () => {
    const line = createLineRedactor();
    expect([BEGIN, '\t QUFB  ', ' -----END PRIVATE KEY----- ', 'after'].map((text) => line(text))).toEqual([
      `${BEGIN} [REDACTED]`,
      '[REDACTED]',
      '[REDACTED]',
      'after',
    ]);
  });
});
