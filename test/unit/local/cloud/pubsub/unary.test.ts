import type { ServerUnaryCall } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { unary } from '#local/cloud/pubsub/unary.ts';

const Request = z.object({ topic: z.string(), pageSize: z.int().min(1) });

test.each([
  [{}, 'topic: it is missing; pageSize: it is missing'],
  [{ topic: 'a', pageSize: 0 }, 'pageSize: it must be at least 1'],
  [{ topic: 1, pageSize: 2 }, 'topic: it must be a text'],
  ['x', 'the request: it must be a mapping'],
])('a request that is not of its form is refused in plain words: %j', async (request, message) => {
  const method = unary(Request, () => ({}));
  const fault = await new Promise((resolve) => {
    method({ request } as ServerUnaryCall<unknown, unknown>, resolve);
  });
  expect(fault).toMatchObject({ code: 3, message });
});
