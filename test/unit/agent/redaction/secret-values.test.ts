import { describe, expect, test } from 'vitest';
import { secretValuesOf } from '#agent/redaction/secret-values.ts';

test.each([
  ['KEY=VALUE', 'DB_PASS=hunter2\nDEBUG=true\n', ['hunter2']],
  ['export', 'export API_TOKEN=abc-def', ['abc-def']],
  ['double quotes', 'SECRET_KEY="with a space"', ['with a space']],
  ['single quotes', "SECRET_KEY='with # a hash'", ['with # a hash']],
  ['an escaped quote', 'SECRET_KEY="a\\"b-c"', ['a"b-c']],
  ['a comment after it', 'SECRET_KEY=abcdef # the key', ['abcdef']],
  [
    'several lines',
    'PRIVATE_KEY="line-one-Xy12\nline-two-Zz34"',
    ['line-one-Xy12\nline-two-Zz34', 'line-one-Xy12'],
  ],
  ['an address', 'DATABASE_URL=postgres://app:p%40ss@db/x', ['p%40ss', 'p@ss', 'postgres://app:p%40ss@db/x']],
  ['an address without a user', 'REDIS_URL=redis://:hunter2@cache:6379', ['hunter2']],
  ['a connection string', "DSN=host=db password='hunter 2' user=app", []],
  ['key and value inside', 'DSN=host=db password=hunter2 user=app', ['hunter2']],
  ['any made-up value', 'THING=9fK2-xQ81-ppL0', ['9fK2-xQ81-ppL0']],
  [
    'JSON',
    '{"db": {"password": "hunter2", "port": 5432}, "list": ["aB3$xyZ9!q"]}',
    ['hunter2', 'aB3$xyZ9!q'],
  ],
  ['a list under a name', '{"tokens": {"secret": ["abcd1", "efgh2"]}}', ['abcd1', 'efgh2']],
  ['YAML', 'db:\n  password: hunter2\n  note: >\n    nothing\n', ['hunter2']],
  ['YAML of several documents', 'a: 1\n---\nsecret: xyz-1\n', ['xyz-1']],
  ['a number that is one', '{"pin_secret": 90210445}', ['90210445']],
  ['the file itself', 'hunter2\n', ['hunter2']],
  ['.netrc', 'machine db login app password hunter2\n', ['hunter2']],
  [
    '.pgpass',
    'localhost:5432:analytics:app:Hunter2-Long\n',
    ['Hunter2-Long', 'localhost:5432:analytics:app:Hunter2-Long'],
  ],
  ['lines of a key', 'MIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n', ['MIIEvQIBADANBgkqhkiG9w0B']],
])('finds the values in %s', (_name, text, expected) => {
  expect(secretValuesOf(text)).toEqual(expect.arrayContaining(expected));
});

test.each([
  [
    'flags, ports and names',
    'DEBUG=true\nPORT=5432\nHOST=db.internal\nTZ=Europe/London\nNODE_ENV=production\n',
  ],
  [
    'addresses and paths',
    'API=http://127.0.0.1:8080/api\nLOG=/var/log/app.log\nBIND=0.0.0.0:8080\nV=1.2.3\n',
  ],
  ['trivial secrets', 'PASSWORD=true\nSECRET=1234\nTOKEN=none\nAPI_KEY=\n'],
  ['nothing', '\n\n'],
  ['comments', '# the settings of the app\n'],
])('leaves %s', (_name, text) => {
  expect(secretValuesOf(text)).toEqual([]);
});

describe('whoever writes the file, it takes root no time', () => {
  const fill = (text: string): string => text.repeat(Math.ceil(SIZE / text.length)).slice(0, SIZE);
  const SIZE = 64 * 1024;

  // With a pattern or a reader whose time grows with the square of the file, each of these took minutes or more.
  test.each([
    ['addresses', `KEY=1\n${fill('://a:\n')}`],
    ['an address in one line', fill('://a:').slice(0, 4096)],
    ['queries', `A=http://a${fill('?')}`],
    ['empty lines', `${fill('\n')}x`],
    ['blanks', `KEY=1\nx${fill(' ')}!`],
    ['blanks after a name', `${fill('export ')}!`.replaceAll('export', '\nexport')],
    ['keys', Array.from({ length: 9000 }, (_, i) => `k${i}: 1`).join('\n')],
    ['lists in lists', `{"a": ${'['.repeat(30_000)}1${']'.repeat(30_000)}}`],
    ['open lists', `a: ${'['.repeat(60_000)}`],
    ['faults of YAML', fill('a: b: c\n')],
    ['aliases', `a: &a [1, 2, 3]\n${Array.from({ length: 90 }, (_, i) => `b${i}: *a`).join('\n')}`],
    ['quotes', fill('A="\n\'')],
    ['backslashes', `A=${fill('\\')}`],
  ])('%s', (_name, text) => {
    expect(secretValuesOf(text).length).toBeLessThan(SIZE);
  });

  test('a line that is too long is not passed over', () => {
    expect(() => secretValuesOf(`TOKEN=${'aB3$'.repeat(1025)}`)).toThrow('longer than 4096 characters');
  });

  test('a long text of several lines is looked for line by line', () => {
    const lines = Array.from(
      { length: 100 },
      (_, i) => `MIIEvQIBADANBgkqhkiG9w0BAQEFAASC-${i}-0123456789abcdefghijkl`,
    );
    expect(secretValuesOf(lines.join('\n'))).toEqual(lines);
  });

  test('all levels of JSON are looked at, whatever repeats in it', () => {
    expect(secretValuesOf('a: &x\n  k: abcd1\nsecret: *x\nb: *x\n')).toContain('abcd1');
  });
});
