// What the API answers instead of a result: a status, Google's reason and message, and the JSON body that carries them.
import { type ErrorCode, LamplighterError } from '#shared/errors.ts';

export interface FaultOptions {
  reason?: string;
  /** `parameter` or `header`, with the name in `location`. */
  locationType?: string;
  location?: string;
  headers?: Record<string, string>;
}

const REASONS: Record<number, [reason: string, code: ErrorCode]> = {
  304: ['notModified', 'refused'],
  400: ['invalid', 'invalid-input'],
  403: ['forbidden', 'not-allowed'],
  404: ['notFound', 'not-found'],
  405: ['methodNotAllowed', 'invalid-input'],
  409: ['conflict', 'conflict'],
  410: ['gone', 'not-found'],
  411: ['required', 'invalid-input'],
  412: ['conditionNotMet', 'refused'],
  413: ['uploadTooLarge', 'invalid-input'],
  416: ['requestedRangeNotSatisfiable', 'invalid-input'],
  499: ['clientClosedRequest', 'refused'],
  500: ['backendError', 'internal'],
  501: ['notImplemented', 'refused'],
  503: ['backendError', 'unavailable'],
};

/** An answer other than success, in Google's words; its message goes to the client as it is. */
export class StorageFault extends LamplighterError {
  readonly status: number;
  readonly reason: string;
  readonly location: { locationType: string; location: string } | undefined;
  readonly headers: Record<string, string>;

  constructor(status: number, message: string, options: FaultOptions = {}) {
    const [reason, code] = REASONS[status] ?? ['internalError', 'internal'];
    super(code, message, { retryable: status >= 500 && status !== 501 });
    this.name = 'StorageFault';
    this.status = status;
    this.reason = options.reason ?? reason;
    this.location = options.location
      ? { locationType: options.locationType ?? 'parameter', location: options.location }
      : undefined;
    this.headers = options.headers ?? {};
  }

  /** cloud.google.com/storage/docs/json_api/v1/status-codes */
  toBody(): object {
    const error = { message: this.message, domain: 'global', reason: this.reason, ...this.location };
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

export function conditionNotMet(location: string): StorageFault {
  return new StorageFault(412, 'At least one of the pre-conditions you specified did not hold.', {
    locationType: 'header',
    location,
  });
}
