// Unary calls: the request parsed, the answer or a gRPC status returned; nothing a client sends ends the server.
import { type handleUnaryCall, status } from '@grpc/grpc-js';
import * as z from 'zod';
import { GrpcFault, notOfForm } from './fault.ts';

/** A handler for one method. */
export function unary<T extends z.ZodType>(
  schema: T,
  handle: (request: z.infer<T>) => unknown,
): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    const settle = async (): Promise<void> => {
      try {
        callback(null, (await answer(schema, call.request, handle)) ?? {});
      } catch (error) {
        callback(asFault(error));
      }
    };
    void settle();
  };
}

async function answer<T extends z.ZodType>(
  schema: T,
  request: unknown,
  handle: (request: z.infer<T>) => unknown,
): Promise<unknown> {
  const parsed = schema.safeParse(request);
  if (!parsed.success) throw notOfForm(parsed.error);
  return await handle(parsed.data);
}

/** Anything thrown, as a fault. */
export function asFault(error: unknown): GrpcFault {
  if (error instanceof GrpcFault) return error;
  return new GrpcFault(status.INTERNAL, error instanceof Error ? error.message : String(error));
}
