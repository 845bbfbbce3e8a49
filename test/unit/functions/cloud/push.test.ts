import { expect, test } from 'vitest';
import { parsePush } from '#functions/cloud/push.ts';

test('a push is read as Pub/Sub writes it', () => {
  const body = {
    message: {
      attributes: { a: 'b' },
      data: Buffer.from('hello').toString('base64'),
      messageId: '17',
      message_id: '17',
      publishTime: '2026-11-23T10:00:00Z',
      publish_time: '2026-11-23T10:00:00Z',
    },
    subscription: 'projects/p/subscriptions/reports',
    deliveryAttempt: 3,
  };
  expect(parsePush(body)).toEqual({
    id: '17',
    data: Buffer.from('hello'),
    attributes: { a: 'b' },
    subscription: 'projects/p/subscriptions/reports',
    deliveryAttempt: 3,
  });
});

test('a message may have no data and no attributes', () => {
  const push = parsePush({ message: { messageId: '1' }, subscription: 's' });
  expect(push).toMatchObject({ data: Buffer.alloc(0), attributes: {} });
});

test.each([undefined, {}, { message: {} }, { message: { messageId: '1', data: '%' }, subscription: 's' }])(
  'refuses %j',
  (body) => {
    expect(() => parsePush(body)).toThrow('not a Pub/Sub push body');
  },
);
