import { expect, test } from 'vitest';
import { createClosing } from '#local/stack/closing.ts';

test('stops in the reverse order, past a failure, and only once', async () => {
  const order: string[] = [];
  const failures: string[] = [];
  const closing = createClosing();
  closing.add('database', () => void order.push('database'));
  closing.add('pubsub', () => {
    throw new Error('stuck');
  });
  closing.add('function', async () => {
    await Promise.resolve();
    order.push('function');
  });
  const onFailure = (name: string, message: string): void => void failures.push(`${name}: ${message}`);
  await Promise.all([closing.closeAll(onFailure), closing.closeAll(onFailure)]);
  expect(order).toEqual(['function', 'database']);
  expect(failures).toEqual(['pubsub: stuck']);
});
