import { expect, test } from 'vitest';
import { etagOf } from '#local/cloud/gcs/etag.ts';

test('is the protocol buffer { 1: generation, 2: metageneration } in base64', () => {
  expect(etagOf('1', '1')).toBe(Buffer.from([0x08, 1, 0x10, 1]).toString('base64'));
  expect(etagOf('300', '2')).toBe(Buffer.from([0x08, 0xac, 0x02, 0x10, 2]).toString('base64'));
});

test('differs for each version and each change of its metadata', () => {
  const etags = ['1', '2', '128', '16384'].flatMap((g) => ['1', '2', '128'].map((m) => etagOf(g, m)));
  expect(new Set(etags).size).toBe(etags.length);
});
