/**
 * The one error class of this program.
 *
 * `code` says what kind of failure it is, and is what other code may branch on; the message is for
 * people and may change. Anything else that is thrown is a bug and is reported as one.
 */

/** Every kind of failure. Closed: a new kind is a new row in docs/errors.md and in cli/exit-code.ts. */
export type ErrorCode =
  | 'USAGE' //            the command line, a CSV or a configuration file is wrong
  | 'NOT_FOUND' //        no such image, tag, manifest or blob
  | 'UNAUTHORIZED' //     401 or 403, credentials already tried
  | 'RATE_LIMITED' //     429, retries used up
  | 'UNAVAILABLE' //      connection, timeout or 5xx, retries used up
  | 'REJECTED' //         the far end understood and refused, or a policy did
  | 'PROTOCOL' //         the far end answered outside its protocol
  | 'CONTENT_MISMATCH' // bytes are not what their descriptor says
  | 'UNSUPPORTED' //      this transport or format can't hold that
  | 'CANCELLED'; //       stopped by a signal or a deadline

export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

/** What an error can carry besides its message. All of it may be logged, so no secrets. */
export interface ErrorOptions {
  readonly cause?: unknown;
  readonly details?: ErrorDetails;
}

export class RegistrySyncError extends Error {
  override readonly name = 'RegistrySyncError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, { cause, details = {} }: ErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/** Whether `error` is ours and of one of these kinds. */
export function isError(error: unknown, ...codes: ErrorCode[]): error is RegistrySyncError {
  return error instanceof RegistrySyncError && codes.includes(error.code);
}

/** Whether the same request can be expected to succeed later: the far end was busy or out of reach. */
export function isRetryable(error: unknown): boolean {
  return isError(error, 'UNAVAILABLE', 'RATE_LIMITED');
}

/**
 * The same failure with a name in front of its message: which image, which row, which side. What is
 * not a RegistrySyncError is a bug and passes unchanged.
 */
export function withName(error: unknown, name: string, details: ErrorDetails = {}): unknown {
  if (!(error instanceof RegistrySyncError)) return error;
  return new RegistrySyncError(error.code, `${name}: ${error.message}`, {
    cause: error,
    details: { ...error.details, ...details },
  });
}

/** The same failure, knowing more. What is not a RegistrySyncError is a bug and passes unchanged. */
export function withDetails(error: unknown, details: ErrorDetails): unknown {
  if (!(error instanceof RegistrySyncError)) return error;
  const { code, message, cause } = error;
  return new RegistrySyncError(code, message, { cause, details: { ...error.details, ...details } });
}

/** Throws CANCELLED once `signal` is aborted. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw cancelled(signal);
}

/** What an aborted wait ends with. */
export function cancelled(signal: AbortSignal): RegistrySyncError {
  const { reason } = signal;
  if (reason instanceof RegistrySyncError) return reason;
  return new RegistrySyncError('CANCELLED', 'stopped', { cause: reason });
}
