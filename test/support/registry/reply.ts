/**
 * Answers as data: handlers return them, faults change them, the listener writes them.
 *
 * Sources: OCI Distribution 1.1, «Error Codes».
 */

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers that come on several lines. */
  readonly repeated?: Readonly<Record<string, string[]>>;
  /** Gives the Content-Length, also of an answer to HEAD. */
  readonly body?: Buffer;
  /** `true`: the body goes out in chunks, without a Content-Length. */
  readonly chunked?: boolean;
}

/** One entry of a registry's `errors`. */
export interface Complaint {
  readonly code: string;
  readonly message: string;
  readonly detail?: unknown;
}

export function json(status: number, value: unknown, headers: Reply['headers'] = {}): Reply {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

/** A refusal as registries word it. */
export function refusal(status: number, complaints: Complaint | readonly Complaint[]): Reply {
  return json(status, { errors: [complaints].flat() });
}

/** An answer without a body. */
export function empty(status: number, headers: Reply['headers'] = {}): Reply {
  return { status, headers: { 'Content-Length': '0', ...headers } };
}
