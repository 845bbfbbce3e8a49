import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Locks, openLocks } from '#agent/runner/locks.ts';

let dir: string;
let over: Set<string>;
let locks: Locks;
let others: Locks;
const open = () => openLocks(join(dir, 'locks.db'), (id) => over.has(id));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-locks-'));
  over = new Set();
  locks = open();
  others = open();
});
afterEach(() => {
  locks.close();
  others.close();
  rmSync(dir, { recursive: true, force: true });
});

test('a name has one holder, across processes', () => {
  expect(locks.acquire(['unit:a'], 'one')).toEqual({ acquired: true });
  expect(others.acquire(['unit:a'], 'two')).toEqual({ acquired: false, name: 'unit:a', holder: 'one' });
  expect(others.acquire(['unit:b'], 'two')).toEqual({ acquired: true });
});

test('several names are taken together or not at all', () => {
  locks.acquire(['unit:b'], 'one');
  expect(others.acquire(['unit:a', 'unit:b'], 'two')).toMatchObject({ acquired: false, holder: 'one' });
  expect(locks.acquire(['unit:a'], 'three')).toEqual({ acquired: true });
});

test('its holder may take it again, as its recovery does', () => {
  locks.acquire(['unit:a'], 'one');
  expect(others.acquire(['unit:a'], 'one')).toEqual({ acquired: true });
});

test('it is free when released, and only what was held', () => {
  locks.acquire(['unit:a'], 'one');
  locks.acquire(['unit:b'], 'two');
  locks.release('one');
  expect(others.acquire(['unit:a'], 'three')).toEqual({ acquired: true });
  expect(others.acquire(['unit:b'], 'three')).toMatchObject({ acquired: false });
});

test('a holder whose run is over holds nothing, though its release was lost', () => {
  locks.acquire(['unit:a'], 'one');
  over.add('one');
  expect(others.acquire(['unit:a'], 'two')).toEqual({ acquired: true });
  expect(locks.acquire(['unit:a'], 'three')).toMatchObject({ acquired: false, holder: 'two' });
});

test('it outlives the process that took it', () => {
  locks.acquire(['unit:a'], 'one');
  locks.close();
  locks = open();
  expect(locks.acquire(['unit:a'], 'two')).toMatchObject({ acquired: false, holder: 'one' });
});
