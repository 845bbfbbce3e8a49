import { expect, test } from 'vitest';
import { reserveOf } from '#agent/host/disk-reserve.ts';

test.each([
  [300e6, 30e6],
  [10e9, 1e9],
  [20e9, 1024 ** 3],
  [4e12, 1024 ** 3],
])('of a file system of %d bytes, %d stay free', (bytes, reserve) => {
  expect(reserveOf(bytes)).toBe(reserve);
});
