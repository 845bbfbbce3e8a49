import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createInbox, type TakeMessage } from '#agent/inbox/inbox.ts';
import { type Journal, openJournal } from '#agent/journal/journal.ts';
import { createReportWriter } from '#agent/outbox/write-report.ts';
import { commandTimeMs } from '#shared/command/envelope.ts';
import { Report } from '#shared/command/report.ts';
import { CommandId } from '#shared/names.ts';
import { signBytes } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { KEY_ID_ATTRIBUTE, SIGNATURE_ATTRIBUTE, toWire, type WireMessage } from '#shared/signing/message.ts';
import { makeKey } from '#test/fixtures/deps.ts';

const NOW = Date.parse('2026-11-23T10:00:00.000Z');
const controlPlane = makeKey();
const signer = keySigner(controlPlane.privatePem);
const ENVELOPE = {
  v: 1,
  id: '0197c2aa-0000-7000-8000-000000000001',
  host: 'web-1',
  operation: 'service.restart',
  params: { service: 'web' },
  spec: { unit: 'app-web.service', health: { activeForMs: 3000 } },
  dryRun: false,
  actor: { kind: 'token', name: 'alice', role: 'operator' },
  runbookVersion: 1,
  issuedAt: '2026-11-23T10:00:00.000Z',
  expiresAt: '2026-11-23T10:05:00.000Z',
  timeoutMs: 1000,
};

async function sign(envelope: object): Promise<WireMessage> {
  const payload = Buffer.from(JSON.stringify(envelope));
  const signed = await signBytes(signer, 'command', payload);
  return toWire('command', signed, { id: 'e', source: 's', type: 't', time: ENVELOPE.issuedAt });
}

let dir: string;
let journal: Journal;
let nowMs: number;
let begun: string[];
let take: TakeMessage;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-inbox-'));
  journal = openJournal(join(dir, 'journal.db'));
  nowMs = NOW;
  begun = [];
  const clock = () => new Date(nowMs);
  take = createInbox({
    host: 'web-1',
    pinnedKeys: [controlPlane.publicKey],
    maxClockSkewMs: () => 30_000,
    journal,
    reports: createReportWriter('web-1', keySigner(makeKey().privatePem), clock),
    clock,
    onQueued: () => undefined,
    onCommand: ({ id }) => begun.push(id),
  });
});
afterEach(() => {
  journal.close();
  rmSync(dir, { recursive: true, force: true });
});

const deliver = (message: WireMessage) => take({ ...message, messageId: 'm-1' });
const said = () =>
  journal.queued(100).map(({ signed }) => Report.parse(JSON.parse(Buffer.from(signed.payload).toString())));
const saidTypes = () => said().map(({ type }) => type);

test('a good command stands in the journal, is told as accepted, and begins', async () => {
  await deliver(await sign(ENVELOPE));
  expect(begun).toEqual([ENVELOPE.id]);
  expect(journal.unfinished()).toMatchObject([{ id: ENVELOPE.id }]);
  expect(said()).toMatchObject([{ type: 'command.accepted', commandId: ENVELOPE.id, host: 'web-1' }]);
});

test('the command stands in the journal before anything begins', async () => {
  let unfinished: number | undefined;
  const clock = () => new Date(nowMs);
  const eager = createInbox({
    host: 'web-1',
    pinnedKeys: [controlPlane.publicKey],
    maxClockSkewMs: () => 0,
    journal,
    reports: createReportWriter('web-1', keySigner(makeKey().privatePem), clock),
    clock,
    onQueued: () => undefined,
    onCommand: () => {
      unfinished = journal.unfinished().length;
    },
  });
  await eager({ ...(await sign(ENVELOPE)), messageId: 'm' });
  expect(unfinished).toBe(1);
});

describe('delivered again', () => {
  test('while it runs: nothing begins, nothing is said twice', async () => {
    const message = await sign(ENVELOPE);
    await deliver(message);
    await deliver(message);
    expect(begun).toHaveLength(1);
    expect(saidTypes()).toEqual(['command.accepted']);
  });

  test.each([
    ['in time', 0],
    ['after it expired', 10 * 60_000],
  ])('when it has ended, %s: its result is sent again', async (_name, laterMs) => {
    const message = await sign(ENVELOPE);
    await deliver(message);
    const [accepted] = journal.queued(1);
    const [command] = journal.unfinished();
    if (!accepted || !command) throw new Error('not accepted');
    journal.finish(command.id, { ...accepted, eventId: 'end', eventType: 'finished' }, nowMs);
    nowMs += laterMs;
    await deliver(message);
    expect(begun).toHaveLength(1);
    expect(
      journal
        .queued(100)
        .map(({ eventType }) => eventType)
        .slice(1),
    ).toEqual(['finished', 'finished']);
  });
});

describe('a clock that was wrong', () => {
  const DAY_MS = 24 * 3_600_000;
  const end = async (): Promise<void> => {
    const [command] = journal.unfinished();
    const [accepted] = journal.queued(1);
    if (command && accepted)
      journal.finish(command.id, { ...accepted, eventId: 'end', eventType: 'finished' }, nowMs);
  };
  const later = (days: number) => {
    const time = (afterMs: number) => new Date(NOW + days * DAY_MS + afterMs).toISOString();
    const id = uuidv7({ msecs: commandTimeMs(CommandId.parse(ENVELOPE.id)) + days * DAY_MS });
    return { ...ENVELOPE, id, issuedAt: time(0), expiresAt: time(60_000) };
  };

  test('31 days ahead and back again: the command that was here does not begin again', async () => {
    const message = await sign(ENVELOPE);
    await deliver(message);
    await end();
    nowMs = NOW + 31 * DAY_MS;
    await deliver(await sign({ ...ENVELOPE, id: later(0).id }));
    nowMs = NOW;
    await deliver(message);
    expect(begun).toEqual([ENVELOPE.id]);
  });

  test('a command older than what was forgotten is refused, though its time is not up by the clock', async () => {
    const message = await sign(ENVELOPE);
    await deliver(message);
    await end();
    const newer = later(31);
    nowMs = Date.parse(newer.issuedAt);
    await deliver(await sign(newer));
    nowMs = NOW;
    await deliver(message);
    expect(begun).toEqual([ENVELOPE.id, newer.id]);
    expect(said()).toContainEqual(
      expect.objectContaining({ type: 'envelope.refused', reason: 'expired', commandId: ENVELOPE.id }),
    );
  });
});

test('the same id with other bytes is refused and does not begin', async () => {
  await deliver(await sign(ENVELOPE));
  await deliver(await sign({ ...ENVELOPE, operation: 'service.stop' }));
  expect(begun).toHaveLength(1);
  expect(said().at(-1)).toMatchObject({
    type: 'envelope.refused',
    reason: 'id-reused',
    commandId: ENVELOPE.id,
  });
});

test('an expired command is refused, and has its end, once', async () => {
  nowMs = Date.parse(ENVELOPE.expiresAt) + 1;
  const message = await sign(ENVELOPE);
  await deliver(message);
  expect(said()).toMatchObject([
    { type: 'envelope.refused', reason: 'expired', commandId: ENVELOPE.id },
    { type: 'command.finished', state: 'expired', code: 'expired' },
  ]);
  expect(begun).toEqual([]);
  await deliver(message);
  expect(saidTypes()).toEqual(['envelope.refused', 'command.finished', 'command.finished']);
});

describe('one flipped bit in any field is refused and nothing of it is believed', () => {
  const text = JSON.stringify(ENVELOPE);
  const fields = Object.keys(ENVELOPE);
  test.each(fields)('%s', async (field) => {
    const message = await sign(ENVELOPE);
    const at = text.indexOf(`"${field}":`) + field.length + 4;
    const data = Buffer.from(message.data);
    data[at] = (data[at] ?? 0) ^ 1;
    expect(data.equals(message.data)).toBe(false);
    await deliver({ ...message, data });
    expect(said()).toMatchObject([{ type: 'envelope.refused', reason: 'bad-signature' }]);
    expect(said()[0]).not.toHaveProperty('commandId');
    expect(begun).toEqual([]);
    expect(journal.unfinished()).toEqual([]);
  });

  test.each([
    ['the signature', SIGNATURE_ATTRIBUTE, 'bad-signature', Buffer.alloc(64).toString('base64')],
    ['the key id', KEY_ID_ATTRIBUTE, 'bad-signature', '0000000000000000'],
    ['no base64', SIGNATURE_ATTRIBUTE, 'unsigned', '***'],
  ])('%s', async (_name, attribute, reason, value) => {
    const message = await sign(ENVELOPE);
    await deliver({ ...message, attributes: { ...message.attributes, [attribute]: value } });
    expect(said()).toMatchObject([{ type: 'envelope.refused', reason, messageId: 'm-1' }]);
  });
});

test.each([
  ['for another host', { host: 'web-2' }, 'wrong-host'],
  ['from the future', { issuedAt: '2026-11-23T10:01:00.000Z' }, 'issued-in-future'],
  ['valid for too long', { expiresAt: '2026-11-25T10:00:00.000Z' }, 'lifetime-too-long'],
  ['no command', { v: 2 }, 'malformed'],
])('%s: %o is refused as %s and settles nothing', async (_name, change, reason) => {
  await deliver(await sign({ ...ENVELOPE, ...change }));
  expect(said()).toMatchObject([{ type: 'envelope.refused', reason }]);
  expect(begun).toEqual([]);
});

test('a journal that cannot write keeps the message from being acknowledged', async () => {
  const message = await sign(ENVELOPE);
  journal.close();
  await expect(deliver(message)).rejects.toThrow();
  expect(begun).toEqual([]);
  journal = openJournal(join(dir, 'journal.db'));
});
