import { expect, test } from 'vitest';
import { failedLook } from '#functions/check/kinds/look-result.ts';

const failure = (code: string, message = 'x') => Object.assign(new Error(message), { code });

test.each([
  ['EMFILE', 'unknown', 'the watcher could not look: EMFILE', undefined],
  ['EPERM', 'unknown', 'the watcher could not look: EPERM', undefined],
  ['ENETUNREACH', 'bad', 'no route to the network', true],
  ['EAI_AGAIN', 'bad', 'name web.example could not be resolved: no answer from DNS', true],
  ['ENOTFOUND', 'bad', 'name web.example not found', undefined],
  ['EHOSTUNREACH', 'bad', 'host unreachable', undefined],
  ['CERT_HAS_EXPIRED', 'bad', 'TLS certificate has expired', undefined],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'bad', 'TLS certificate is not for web.example', undefined],
  ['ERR_NEW_ONE', 'bad', 'ERR_NEW_ONE: x', undefined],
] as const)('%s is %s', (code, verdict, reason, isPerhapsOurs) => {
  const result = failedLook(failure(code), 'web.example');
  expect(result).toEqual({
    verdict,
    reason,
    latencyMs: null,
    ...(isPerhapsOurs === undefined ? {} : { isPerhapsOurs }),
  });
});

test('a reason is one bounded line, whatever the library says', () => {
  const { reason } = failedLook(failure('EPROTO', `a\r\nSubject: b\u001b[2J ${'c'.repeat(500)}`), 'x');
  expect(reason).not.toMatch(/\p{Cc}/u);
  expect(reason.length).toBeLessThan(260);
});
