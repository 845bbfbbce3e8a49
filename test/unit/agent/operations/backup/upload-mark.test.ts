import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  clearMark,
  countFailure,
  isNotUploaded,
  isUploadDue,
  markNotUploaded,
  retryPauseMs,
} from '#agent/operations/backup/upload-mark.ts';

const MINUTE_MS = 60_000;
const NOW_MS = Date.parse('2026-11-26T10:00:00Z');
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-mark-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

test.each([
  [0, 0],
  [1, 10],
  [2, 20],
  [4, 80],
  [6, 320],
  [7, 360],
  [5000, 360],
])('after %d failures the next attempt comes %d minutes later', (failures, minutes) => {
  expect(retryPauseMs(failures)).toBe(minutes * MINUTE_MS);
});

test('a backup is due at once, and after a failure when its pause is over', () => {
  markNotUploaded(dir);
  expect(isUploadDue(dir, NOW_MS)).toBe(true);
  countFailure(dir, NOW_MS);
  expect(isUploadDue(dir, NOW_MS + 9 * MINUTE_MS)).toBe(false);
  expect(isUploadDue(dir, NOW_MS + 10 * MINUTE_MS)).toBe(true);
  countFailure(dir, NOW_MS + 10 * MINUTE_MS);
  expect(isUploadDue(dir, NOW_MS + 29 * MINUTE_MS)).toBe(false);
});

test('a clock that was set back holds nothing up', () => {
  markNotUploaded(dir);
  countFailure(dir, NOW_MS);
  expect(isUploadDue(dir, NOW_MS - 24 * 60 * MINUTE_MS)).toBe(true);
});

test.each(['', '{"failures":-1}', '{"cut o'])('a mark that can not be read (%j) is due', (text) => {
  writeFileSync(join(dir, 'not-uploaded'), text);
  expect(isNotUploaded(dir)).toBe(true);
  expect(isUploadDue(dir, NOW_MS)).toBe(true);
});

test('a failure that is counted late does not mark what is uploaded meanwhile', () => {
  markNotUploaded(dir);
  clearMark(dir);
  clearMark(dir);
  countFailure(dir, NOW_MS);
  expect(isNotUploaded(dir)).toBe(false);
});
