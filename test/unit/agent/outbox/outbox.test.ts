import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Journal, openJournal } from '#agent/journal/journal.ts';
import { type Outbox, startOutbox } from '#agent/outbox/outbox.ts';

let journal: Journal;
let published: string[];
let broken: Set<string>;
let troubles: string[];
let outbox: Outbox;

const report = (subject: string, name: string) => ({
  signed: { payload: Buffer.from(name), signature: Buffer.from('s'), keyId: 'k' },
  eventId: name,
  eventType: 'type',
  subject,
});

beforeEach(() => {
  journal = openJournal(':memory:');
  published = [];
  broken = new Set();
  troubles = [];
  outbox = startOutbox({
    journal,
    host: 'web-1',
    publish: ({ data, attributes }) => {
      if (broken.has(attributes['ce-subject'] ?? '')) return Promise.reject(new Error('away'));
      published.push(data.toString());
      return Promise.resolve();
    },
    onTrouble: (text) => troubles.push(text),
  });
});
afterEach(async () => {
  await outbox.close();
  journal.close();
});

function queue(subject: string, ...names: string[]): void {
  for (const name of names) journal.enqueue(report(subject, name));
  outbox.wake();
}

test('what is queued goes out in order and is forgotten', async () => {
  queue('one', 'a', 'b', 'c');
  await vi.waitFor(() => expect(published).toEqual(['a', 'b', 'c']));
  expect(journal.queued(10)).toEqual([]);
});

test('what cannot be sent is kept, in its order, and tried again; other commands do not wait for it', async () => {
  broken.add('one');
  queue('one', 'a', 'b');
  queue('two', 'x', 'y');
  await vi.waitFor(() => expect(published).toEqual(['x', 'y']));
  expect(troubles).toContain('send reports: away');
  expect(journal.queued(10).map(({ eventId }) => eventId)).toEqual(['a', 'b']);
  broken.clear();
  await vi.waitFor(() => expect(published).toEqual(['x', 'y', 'a', 'b']), { timeout: 5000 });
});

test('a heartbeat that cannot be sent is dropped: the next one says more', async () => {
  broken.add('web-1');
  await expect(outbox.sendOnce(report('web-1', 'heartbeat'))).rejects.toThrow('away');
  expect(journal.queued(10)).toEqual([]);
});
