// Each recipient is a delivery: a real SMTP server that answers by a script, one case for each kind of answer.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listAudit } from '#functions/store/audit.ts';
import { ALERTS_TOPIC } from '#shared/topology.ts';
import { applyTestRunbook, DEMO_RUNBOOK } from '#test/fixtures/control-plane.ts';
import { type AlertWorld, createAlertWorld } from './alert-world.ts';

type Stage = 'connect' | 'mail' | 'rcpt' | 'data';
interface Answer {
  stage: Stage;
  code: number;
  text: string;
}

let world: AlertWorld;
let server: SMTPServer;
/** What the server answers to whom; nothing: it takes the mail. */
let answerTo: (recipient: string) => Answer | undefined;
/** Envelope recipients of the mails that it took. */
let taken: string[];

function refusalAt(stage: Stage, recipient = ''): Error | null {
  const answer = answerTo(recipient);
  if (answer?.stage !== stage) return null;
  return Object.assign(new Error(answer.text), { responseCode: answer.code });
}

const handlers: SMTPServerOptions = {
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  logger: false,
  closeTimeout: 100,
  onConnect: (_session, done) => done(refusalAt('connect')),
  onMailFrom: (_address, _session, done) => done(refusalAt('mail')),
  onRcptTo: ({ address }, _session, done) => done(refusalAt('rcpt', address)),
  onData: (stream, { envelope }, done) => {
    stream.resume();
    stream.once('end', () => {
      const refusal = refusalAt('data');
      if (!refusal) taken.push(...envelope.rcptTo.map(({ address }) => address));
      done(refusal);
    });
  },
};

const RECIPIENTS = '[ann@example.com, bob@example.com]';
const TEAM = DEMO_RUNBOOK.replace('[on-call@example.com]', RECIPIENTS).replace(
  'channels:\n',
  'channels:\n  boss:\n    kind: email\n    to: [boss@example.com]\n    minLevel: CRITICAL\n',
);

beforeEach(async () => {
  taken = [];
  answerTo = () => undefined;
  server = new SMTPServer(handlers);
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  world = await createAlertWorld(`smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`);
  await applyTestRunbook(world.database.db, TEAM);
});
afterEach(async () => {
  await world.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

/** State of the delivery of one event to each mail recipient. */
async function states(event = 'firing'): Promise<Record<string, string>> {
  const mails = (await world.deliveries()).filter((delivery) => delivery.event === event);
  return Object.fromEntries(mails.map(({ recipient, channel, state }) => [recipient ?? channel, state]));
}
const only =
  (recipient: string, answer: Answer) =>
  (candidate: string): Answer | undefined =>
    candidate === recipient ? answer : undefined;
const REFUSED: Answer = { stage: 'rcpt', code: 550, text: '5.1.1 no such user' };

test('a recipient that is put off gets its mail later, and the others theirs at once and once', async () => {
  answerTo = only('ann@example.com', { stage: 'rcpt', code: 450, text: '4.2.0 greylisted' });
  await world.raise();
  expect(await world.pushAll()).toEqual([204, 204, 204, 503]);
  expect(await states()).toMatchObject({ 'ann@example.com': 'pending', 'bob@example.com': 'delivered' });
  answerTo = () => undefined;
  expect(await world.pushAll()).toEqual([204, 204, 204, 204]);
  expect(taken.toSorted()).toEqual(['ann@example.com', 'bob@example.com', 'boss@example.com']);
});

describe('an answer of the mail server', () => {
  const table: [Stage, number, string, 'failed' | 'pending'][] = [
    // The address: RFC 3463, 3.2 and 3.3; RFC 7505.
    ['rcpt', 550, '5.1.1 no such user', 'failed'],
    ['rcpt', 550, '#5.1.0 address rejected', 'failed'],
    ['rcpt', 550, '5.1.2 no such domain', 'failed'],
    ['rcpt', 501, '5.1.3 bad address syntax', 'failed'],
    ['rcpt', 551, '5.1.6 moved away', 'failed'],
    ['rcpt', 556, '5.1.10 null MX', 'failed'],
    ['rcpt', 550, '5.2.1 mailbox disabled', 'failed'],
    // RFC 5321, 4.2.3, without an enhanced code.
    ['rcpt', 551, 'user not local', 'failed'],
    ['rcpt', 553, 'mailbox name not allowed', 'failed'],
    ['rcpt', 550, 'rejected', 'pending'],
    // What passes.
    ['rcpt', 450, '4.2.0 greylisted', 'pending'],
    ['rcpt', 450, '4.1.1 unknown so far', 'pending'],
    ['rcpt', 452, 'too many recipients', 'pending'],
    ['rcpt', 552, '5.2.2 mailbox full', 'pending'],
    ['rcpt', 550, '5.4.5 daily quota exceeded', 'pending'],
    // What can be mended, by us or by the server's people.
    ['rcpt', 530, 'Must issue a STARTTLS command first', 'pending'],
    ['rcpt', 550, '5.7.1 sender is blocked', 'pending'],
    ['rcpt', 554, '5.7.1 relay access denied', 'pending'],
    ['rcpt', 550, '5.1.8 sender address rejected', 'pending'],
    // Refusals of the sender or of the content, which say nothing about the recipient, with any code.
    ['connect', 554, '5.1.1 go away', 'pending'],
    ['mail', 550, '5.1.1 sender unknown', 'pending'],
    ['mail', 530, '5.7.0 Must issue a STARTTLS command first', 'pending'],
    ['data', 550, '5.1.1 odd', 'pending'],
    ['data', 552, '5.3.4 message too big', 'pending'],
  ];
  test.each(table)('at %s, %i %s: the delivery is %s', async (stage, code, text, state) => {
    answerTo = () => ({ stage, code, text });
    await world.raise();
    await world.pushAll();
    expect((await states())['ann@example.com']).toBe(state);
    const audited = await listAudit(world.deps.db, { action: 'delivery.failed', limit: 10 });
    expect(audited.length > 0).toBe(state === 'failed');
  });
});

describe('an address that will never take mail', () => {
  test('is told to the other recipients of its channel, once, with the whole alert', async () => {
    answerTo = only('ann@example.com', REFUSED);
    await world.raise();
    expect(await world.pushAll()).toEqual([204, 204, 204, 204]);
    await world.pushAll();
    await world.pushAll();
    expect(await states('undelivered')).toEqual({ 'bob@example.com': 'delivered' });
    expect(taken.toSorted()).toEqual(['bob@example.com', 'bob@example.com', 'boss@example.com']);
    const [audited] = await listAudit(world.deps.db, { action: 'delivery.failed', limit: 10 });
    expect(audited?.detail).toMatchObject({ recipient: 'ann@example.com' });
  });

  test('is told to the next channel when its own has nobody left, and to the log when no person is left', async () => {
    answerTo = (recipient) => (recipient === 'boss@example.com' ? undefined : REFUSED);
    await world.raise();
    for (let round = 0; round < 4; round++) await world.pushAll();
    expect(await states('undelivered')).toMatchObject({ 'boss@example.com': 'delivered' });
    answerTo = () => REFUSED;
    await world.settle();
    world.deps.advance(1000);
    await world.raise();
    for (let round = 0; round < 4; round++) await world.pushAll();
    expect(await states('undelivered')).toMatchObject({ 'host-log': 'sent' });
  });

  test('asks nobody again when everybody is out of reach', async () => {
    await applyTestRunbook(world.database.db, TEAM.replace(/ {2}host-log:[^#]*#/, '#'));
    answerTo = () => REFUSED;
    await world.raise();
    for (let round = 0; round < 5; round++) await world.pushAll();
    const messages = world.deps.published.filter(({ topic }) => topic === ALERTS_TOPIC);
    expect(messages.length).toBeLessThanOrEqual(6);
    expect(Object.values(await states())).toEqual(['failed', 'failed', 'failed']);
  });

  test('is not asked about when the runbook no longer names it', async () => {
    await world.raise();
    await applyTestRunbook(world.database.db, TEAM.replace(RECIPIENTS, '[bob@example.com]'));
    await world.pushAll();
    expect(await states()).toMatchObject({ 'ann@example.com': 'failed', 'bob@example.com': 'delivered' });
    expect(await states('undelivered')).toEqual({});
  });
});

test('while a recipient is tried in vain for a quarter of an hour, another channel is told, once', async () => {
  answerTo = only('ann@example.com', { stage: 'rcpt', code: 550, text: '5.4.5 daily quota exceeded' });
  await world.raise();
  await world.pushAll();
  expect(await states('undelivered')).toEqual({});
  world.deps.advance(16 * 60_000);
  for (let round = 0; round < 3; round++) await world.pushAll();
  expect(await states('undelivered')).toEqual({ 'boss@example.com': 'delivered' });
  answerTo = () => undefined;
  await world.pushAll();
  expect(await states()).toMatchObject({ 'ann@example.com': 'delivered' });
});
