// Errors with a gRPC status code.
import { status } from '@grpc/grpc-js';
import type * as z from 'zod';
import { describeFaults } from '#shared/plain-issue.ts';

/** An error with a gRPC status code, in the form grpc-js sends. */
export class GrpcFault extends Error {
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}

export function invalidArgument(message: string): GrpcFault {
  return new GrpcFault(status.INVALID_ARGUMENT, message);
}

/** A request or a resource that does not match its schema. */
export function notOfForm(error: z.ZodError): GrpcFault {
  return invalidArgument(describeFaults(error, 'the request'));
}

/** A feature of Google's that this server does not have: refused, so that no client takes it for done. */
export function notServed(what: string): GrpcFault {
  return new GrpcFault(status.UNIMPLEMENTED, `${what} is not served here.`);
}

export function notFound(resource: string): GrpcFault {
  return new GrpcFault(status.NOT_FOUND, `Resource not found (resource=${resource}).`);
}

export function alreadyExists(resource: string): GrpcFault {
  return new GrpcFault(
    status.ALREADY_EXISTS,
    `Resource already exists in the project (resource=${resource}).`,
  );
}
