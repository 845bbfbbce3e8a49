import { expect, test } from 'vitest';
import { MAX_DETAIL_BYTES, writeDetail } from '#functions/store/audit-detail.ts';

const DIGEST = 'd'.repeat(64);

test('what is small enough stays as it is', () => {
  const detail = { digest: DIGEST, list: [1, null, { a: '“—”' }] };
  expect(writeDetail(detail)).toBe(JSON.stringify(detail));
  const full = { text: 'x'.repeat(MAX_DETAIL_BYTES - '{"text":""}'.length) };
  expect(writeDetail(full)).toBe(JSON.stringify(full));
});

test.each<[string, Record<string, unknown>]>([
  ['a long text', { reason: 'x'.repeat(1_000_000) }],
  ['a text of characters of four bytes', { reason: `x${'🔥'.repeat(100_000)}` }],
  ['a text of which each character is escaped', { reason: '\u0001'.repeat(100_000) }],
  ['a long list', { list: Array(100_000).fill('x') }],
  ['a deep object', { deep: { a: { b: 'x'.repeat(20_000) } } }],
  ['many fields', Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`f${i}`, 'x'.repeat(100)]))],
  ['a field with a long name', { ['k'.repeat(10_000)]: 1 }],
])('%s is cut, says how much there was, and leaves identifiers whole', (_name, large) => {
  const detail = { ...large, digest: DIGEST, reportId: 'r1' };
  const text = writeDetail(detail);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_DETAIL_BYTES);
  expect(text).not.toContain('\ufffd');
  const size = Buffer.byteLength(JSON.stringify(detail));
  expect(JSON.parse(text)).toMatchObject({
    digest: DIGEST,
    reportId: 'r1',
    detailCut: `the detail had ${size} bytes`,
  });
});

test('the beginning of what is cut stays, with its size', () => {
  const { reason } = JSON.parse(writeDetail({ reason: `exit 3: ${'x'.repeat(50_000)}` }));
  expect(reason).toMatch(/^exit 3: x+… \(cut: 50008 bytes\)$/);
});
