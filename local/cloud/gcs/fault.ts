// What the API answers instead of a result: a status, Google's reason and message, and the JSON body that carries them.
import { type ErrorCode, LamplighterError } from '#shared/errors.ts';

const REASONS: Record<number, [reason: string, code: ErrorCode]> = {
  400: ['invalid', 'invalid-input'],
  403: ['forbidden', 'not-allowed'],
  404: ['notFound', 'not-found'],
  409: ['conflict', 'conflict'],
  410: ['gone', 'not-found'],
  412: ['conditionNotMet', 'refused'],
  413: ['uploadTooLarge', 'invalid-input'],
  500: ['backendError', 'internal'],
  501: ['notImplemented', 'refused'],
};

/** An answer other than success, in Google's words; the client gets its message unchanged. */
export class StorageFault extends LamplighterError {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, message: string, options: { reason?: string } = {}) {
    const [reason, code] = REASONS[status] ?? ['internalError', 'internal'];
    super(code, message, { retryable: status >= 500 && status !== 501 });
    this.name = 'StorageFault';
    this.status = status;
    this.reason = options.reason ?? reason;
  }

  /** cloud.google.com/storage/docs/json_api/v1/status-codes */
  toBody(): object {
    const error = { message: this.message, domain: 'global', reason: this.reason };
    return { error: { code: this.status, message: this.message, errors: [error] } };
  }
}

export function invalid(message: string): StorageFault {
  return new StorageFault(400, message);
}

export function unsupported(feature: string): StorageFault {
  return new StorageFault(501, `This local Cloud Storage does not implement ${feature}.`);
}

export function objectNotFound(bucket: string, name: string): StorageFault {
  return new StorageFault(404, `No such object: ${bucket}/${name}`);
}
