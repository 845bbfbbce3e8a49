import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Journal, type OutgoingReport, openJournal } from '#agent/journal/journal.ts';
import { commandTimeMs } from '#shared/command/envelope.ts';
import { CommandId } from '#shared/names.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';

const ID = CommandId.parse('0197c2aa-0000-7000-8000-000000000001');
const OTHER = CommandId.parse('0197c2aa-0000-7000-8000-000000000002');
const bytes = (text: string): SignedBytes => ({
  payload: Buffer.from(text),
  signature: Buffer.from('signature'),
  keyId: 'key',
});
const report = (eventId: string, subject: string = ID): OutgoingReport => ({
  signed: bytes(`report ${eventId}`),
  eventId,
  eventType: 'type',
  subject,
});

let dir: string;
let journal: Journal;
const file = () => join(dir, 'journal.db');
const queuedIds = () => journal.queued(100).map(({ eventId }) => eventId);

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-journal-'));
  journal = openJournal(file());
});
afterEach(() => {
  journal.close();
  rmSync(dir, { recursive: true, force: true });
});

test('takes a command once, together with the report that says so', () => {
  expect(journal.accept(ID, bytes('a'), report('accepted'), 1)).toBe('accepted');
  expect(journal.accept(ID, bytes('a'), report('again'), 2)).toBe('duplicate');
  expect(journal.accept(ID, bytes('b'), report('other'), 3)).toBe('id-reused');
  expect(queuedIds()).toEqual(['accepted']);
  expect(journal.unfinished().map(({ id }) => id)).toEqual([ID]);
});

test('knows the very bytes of a command, not only its id', () => {
  journal.accept(ID, bytes('a'), undefined, 1);
  expect(journal.has(ID, bytes('a'))).toBe(true);
  expect(journal.has(ID, bytes('b'))).toBe(false);
  expect(journal.has(OTHER, bytes('a'))).toBe(false);
});

test('ends a command once; the first end stays', () => {
  journal.accept(ID, bytes('a'), undefined, 1);
  journal.finish(ID, report('first'), 2);
  journal.finish(ID, report('second'), 3);
  expect(journal.unfinished()).toEqual([]);
  expect(queuedIds()).toEqual(['first']);
});

test('repeats the result of a finished command, byte by byte, and of no other', () => {
  journal.accept(ID, bytes('a'), undefined, 1);
  expect(journal.repeatResult(ID)).toBe(false);
  expect(journal.repeatResult(OTHER)).toBe(false);
  journal.finish(ID, report('end'), 2);
  for (const { seq } of journal.queued(10)) journal.sent(seq);
  expect(journal.repeatResult(ID)).toBe(true);
  const [again] = journal.queued(10);
  expect(Buffer.from(again?.signed.payload ?? []).toString()).toBe('report end');
  expect(again).toMatchObject({ eventType: 'type', subject: ID });
});

test('reports each step entry once, whatever is told again', () => {
  journal.accept(ID, bytes('a'), undefined, 1);
  for (const seq of [1, 2, 2, 1, 3]) journal.progress(ID, seq, report(`step ${seq}`));
  expect(queuedIds()).toEqual(['step 1', 'step 2', 'step 3']);
  expect(journal.unfinished()).toMatchObject([{ id: ID, stepSeq: 3 }]);
});

test('keeps everything when it is opened again', () => {
  journal.accept(ID, bytes('a'), report('accepted'), 1);
  journal.progress(ID, 4, report('step'));
  journal.close();
  journal = openJournal(file());
  expect(journal.accept(ID, bytes('a'), report('again'), 2)).toBe('duplicate');
  expect(queuedIds()).toEqual(['accepted', 'step']);
  expect(journal.unfinished()).toMatchObject([{ id: ID, stepSeq: 4, signed: { keyId: 'key' } }]);
});

test('what was sent is gone, the rest keeps its order', () => {
  for (const name of ['a', 'b', 'c']) journal.enqueue(report(name));
  const [, second] = journal.queued(2);
  journal.sent(second?.seq ?? 0);
  expect(queuedIds()).toEqual(['a', 'c']);
});

test('forgets commands that ended long before the newest, never one that goes on, and keeps the time up to which it did', () => {
  const later = CommandId.parse('0197c2ae-0000-7000-8000-000000000003');
  const laterMs = commandTimeMs(later) - commandTimeMs(ID);
  journal.accept(ID, bytes('a'), undefined, 1);
  journal.accept(OTHER, bytes('b'), undefined, 1);
  journal.finish(ID, report('end'), 10);
  journal.prune(laterMs - 1);
  expect(journal.has(ID, bytes('a'))).toBe(true);
  journal.accept(later, bytes('c'), undefined, 1);
  journal.prune(laterMs);
  expect(journal.has(ID, bytes('a'))).toBe(true);
  expect(journal.horizonMs()).toBe(0);
  journal.prune(laterMs - 1);
  expect(journal.has(ID, bytes('a'))).toBe(false);
  expect(journal.has(OTHER, bytes('b'))).toBe(true);
  journal.close();
  journal = openJournal(file());
  expect(journal.horizonMs()).toBe(commandTimeMs(ID));
});
