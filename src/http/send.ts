/**
 * One HTTP exchange as a function, and policies as functions around it.
 *
 * Source: https://undici.nodejs.org/#/docs/api/Dispatcher
 */
import { Readable } from 'node:stream';

import type { Dispatcher } from 'undici';
import errors from 'undici/lib/core/errors.js';

import { cancelled, RegistrySyncError } from '../base/errors.ts';
import { redactUrl } from '../base/redact.ts';
import { exchange, type Answer } from './exchange.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A body of known size that can be had again: `open` is called once for each time it is sent. */
export interface OpenedBody {
  /** Bytes; sent as Content-Length. */
  readonly size: number;
  readonly open: () => Promise<Readable | Uint8Array>;
}

export interface HttpRequest {
  readonly method: Method;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | OpenedBody;
  /**
   * A 200 is handed on when its body is here, or so many bytes of it and some: a body that breaks
   * off is then a request that failed, and is repeated like one. Bytes.
   */
  readonly gather?: number;
  readonly signal: AbortSignal;
  /** Whoever asks has another way: a failure is not worth another try. */
  readonly once?: boolean;
}

export type HttpResponse = Answer;

export type Send = (request: HttpRequest) => Promise<HttpResponse>;
export type Wrap = (send: Send) => Send;

/** Puts policies around a Send, the first outermost. */
export function compose(send: Send, ...wraps: readonly Wrap[]): Send {
  let composed = send;
  for (const wrap of wraps.toReversed()) composed = wrap(composed);
  return composed;
}

/** Adds a header to all requests that do not have it. */
export function withHeader(name: string, value: string): Wrap {
  return (send) => (request) =>
    send({ ...request, headers: { [name]: value, ...request.headers } });
}

/** A header's value; several fields of one name are joined as RFC 9110 §5.3 allows. */
export function header({ headers }: HttpResponse, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}

/** Reads and drops what is left of a body, so that its connection can be used again. */
export async function discard({ body }: HttpResponse): Promise<void> {
  if (body.isOver === true) return;
  let left = MAX_DISCARDED_BYTES;
  const late = setTimeout(() => body.destroy(), MAX_DISCARDING_MS);
  try {
    for await (const chunk of body) {
      left -= chunk.byteLength;
      if (left < 0) break; // leaving the loop destroys the stream
    }
  } catch {
    // Nobody wants these bytes, so nobody misses them.
  } finally {
    clearTimeout(late);
  }
}

// More would cost more than a new connection.
const MAX_DISCARDED_BYTES = 64 * 1024;
const MAX_DISCARDING_MS = 5000;

/**
 * Reads a body of at most `maxBytes`.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when it is longer; `UNAVAILABLE` when it breaks off.
 */
export async function readBody(
  { body }: HttpResponse,
  maxBytes: number,
  what: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.byteLength;
      if (size > maxBytes) {
        throw new RegistrySyncError('PROTOCOL', `${what} is longer than ${maxBytes} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw asHttpError(error, what);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/**
 * The innermost Send: one request on the wire, nothing followed and nothing repeated.
 *
 * @param answerMs how long the answer to a request without a body may take to begin; those with one
 * may take as long as the dispatcher says, as a registry may hash gigabytes before it answers.
 */
export function undiciSend(dispatcher: Dispatcher, answerMs?: number): Send {
  return async ({ method, url, headers, body, gather, signal }) => {
    if (signal.aborted) throw cancelled(signal);
    const opened = body === undefined ? undefined : await openBody(body);
    try {
      const request = {
        method,
        origin: url.origin,
        path: url.pathname + url.search,
        headers: { 'accept-encoding': 'identity', ...headers, ...opened?.headers },
        body: opened?.body ?? null,
        // Else undici closes the connection after every HEAD.
        reset: false,
        ...(body === undefined && answerMs !== undefined && { headersTimeout: answerMs }),
      };
      return await exchange(dispatcher, request, { signal, gather });
    } catch (error) {
      if (opened?.body instanceof Readable) opened.body.destroy();
      if (signal.aborted) throw cancelled(signal);
      throw asHttpError(error, `${method} ${redactUrl(url)}`);
    }
  };
}

async function openBody(
  body: Uint8Array | OpenedBody,
): Promise<{ body: Uint8Array | Readable; headers: Record<string, string> }> {
  if (body instanceof Uint8Array) {
    return { body, headers: { 'content-length': String(body.byteLength) } };
  }
  const stream = await body.open();
  return { body: stream, headers: { 'content-length': String(body.size) } };
}

/** What a broken exchange means: a failure of ours keeps its kind, all else is a network that is down. */
export function asHttpError(error: unknown, what: string): unknown {
  if (error instanceof RegistrySyncError) return error;
  if (!isNetworkError(error)) return error;
  const { code } = error;
  const message = `${what}: ${describe(error)}`;
  return new RegistrySyncError('UNAVAILABLE', message, { cause: error, details: { reason: code } });
}

function isNetworkError(error: unknown): error is Error & { code: string } {
  return (
    error instanceof errors.UndiciError ||
    error instanceof errors.HTTPParserError || // without a code, and of no class of undici's
    (error instanceof Error && typeof (error as Error & { code?: unknown }).code === 'string')
  );
}

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name could not be looked up',
  UND_ERR_SOCKET: 'connection closed by the other side',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'answer stopped coming',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate is of an unknown authority (give it with --cert-dir)',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate is self-signed (give it with --cert-dir)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'certificate is of an unknown authority (give it with --cert-dir)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'certificate is of an unknown authority (give it with --cert-dir)',
  CERT_HAS_EXPIRED: 'certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate is for another host',
};

function describe(error: Error & { code: string }): string {
  const known = DESCRIPTIONS[error.code];
  if (known !== undefined) return known;
  return error.message === '' ? error.code : error.message;
}
