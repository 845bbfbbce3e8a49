import { expect, test } from 'vitest';
import { tellGuard, writeGuardRules } from '#agent/install/metadata-guard.ts';

test.each([
  [true, true, /^Only root and .*--no-guard-metadata/],
  [true, false, /^Only root and .*--no-guard-metadata/],
  [false, true, /^Every process .* run the installer again with --guard-metadata\.$/],
])('whoever installs is told who can take the identity: guard %s, on Google %s', (isSet, onGoogle, said) => {
  expect(tellGuard(isSet, onGoogle)).toMatch(said);
});

test('a host that is not on Google and has no guard is told nothing', () => {
  expect(tellGuard(false, false)).toBeUndefined();
});

test('root, whose programs keep a VM of Google’s running, is never kept out', () => {
  const rules = writeGuardRules([{ uid: 998 }, { uid: 997 }]);
  expect(rules).toContain('meta skuid { 0, 998, 997 } accept');
  expect(rules.indexOf('accept\n')).toBeLessThan(rules.indexOf('reject'));
});
