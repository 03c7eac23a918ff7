/**
 * A reverse proxy that counts what a registry is asked, by class of request, and can spoil an answer.
 *
 * Bodies are streamed. The `Host` header is kept, so a registry's `Location`s lead to the proxy.
 */
import {
  Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as sendPlain,
  type ServerResponse,
} from 'node:http';
import { Agent as TlsAgent, request as sendTls } from 'node:https';
import { pipeline, Transform } from 'node:stream';

import { serveLoopback, type KeyPair } from './tls.ts';

type Verb = 'HEAD' | 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

/** What a request is for. A POST that asks for a mount is one, whether it is granted or not. */
export type RequestClass =
  | 'ping'
  | 'catalog'
  | 'tags'
  | 'referrers'
  | 'token'
  | 'mount'
  | 'other'
  | `manifest ${Verb}`
  | `blob ${Verb}`
  | `upload ${Verb}`;

export interface ProxiedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly class: RequestClass;
  /** How many of its class there have been, itself included. */
  readonly nth: number;
  readonly headers: IncomingHttpHeaders;
  /** 0 until there is an answer, and for good when there was none. */
  readonly status: number;
  /** Of the body that came from the client, so far. */
  readonly bytesIn: number;
  /** Of the body that went to the client, so far. */
  readonly bytesOut: number;
}

/** What befalls a request instead of being passed on whole. */
export type Fault =
  | {
      readonly kind: 'answer'; // by the proxy; the target hears nothing of it
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The connection breaks when so many bytes of the body have come; 0: at once, and without an answer. */
  | { readonly kind: 'cut-request'; readonly afterBytes: number }
  /** The connection breaks when exactly so many bytes of the body have been answered. */
  | { readonly kind: 'cut-response'; readonly afterBytes: number };

export interface CountingProxyOptions {
  /** Serve over TLS; whether the target does is said by its origin. */
  readonly tls?: KeyPair;
  /** Asked before each request is passed on. It may wait: the request waits with it. */
  readonly onRequest?: (request: ProxiedRequest) => Fault | undefined | Promise<Fault | undefined>;
}

export interface CountingProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`: what an image reference begins with. */
  readonly host: string;
  /** `http://` or `https://` and the host. */
  readonly origin: string;
  /** In the order of arrival. */
  readonly requests: readonly ProxiedRequest[];
  /** The most requests that were under way at one time. */
  readonly maxConcurrent: number;
  /** How many connections clients have opened. */
  readonly connections: number;
  /** How many requests of each class there were; a class without any has no key. */
  counts(): Counts;
  /** Forgets what was counted. */
  reset(): void;
  close(): Promise<void>;
}

type Counts = Partial<Record<RequestClass, number>>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Entry = Mutable<ProxiedRequest>;

/** One request on its way: both ends of it and what is known of it. */
interface Passage {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly entry: Entry;
  readonly fault: Exclude<Fault, { kind: 'answer' }> | undefined;
}

// Longer than any pause of a test: that a kept connection breaks is for a test to ask for.
const IDLE_MS = 60_000;

/** Starts a proxy of `targetOrigin`, whose certificate, if it has one, is not checked. */
export async function startCountingProxy(
  targetOrigin: string,
  options: CountingProxyOptions = {},
): Promise<CountingProxy> {
  const scheme = options.tls === undefined ? 'http' : 'https';
  const target = createTarget(targetOrigin, scheme);
  let entries: Entry[] = [];
  let counts: Counts = {};
  let underWay = 0;
  let maxConcurrent = 0;
  let connections = 0;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    maxConcurrent = Math.max(maxConcurrent, ++underWay);
    response.once('close', () => underWay--);
    const entry = entryOf(request, counts);
    entries.push(entry);
    const fault = await options.onRequest?.(entry);
    if (response.destroyed) return; // the client did not wait
    if (fault?.kind === 'answer') answer({ request, response, entry }, fault);
    else pass({ request, response, entry, fault }, target.send(request));
  }

  const { server, host, origin, close } = await serveLoopback((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  }, options.tls);
  server.keepAliveTimeout = IDLE_MS;
  server.on('connection', () => connections++);

  async function stop(): Promise<void> {
    await close();
    target.close();
  }
  return {
    host,
    origin,
    get requests() {
      return entries;
    },
    get maxConcurrent() {
      return maxConcurrent;
    },
    get connections() {
      return connections;
    },
    counts: () => ({ ...counts }),
    reset() {
      entries = [];
      counts = {};
      maxConcurrent = underWay;
      connections = 0;
    },
    close: stop,
    [Symbol.asyncDispose]: stop,
  };
}

const VERBS = 'HEAD|GET|POST|PATCH|PUT|DELETE';

/** Method and path, with its query, to class; the first that matches. */
const CLASSES: readonly (readonly [RegExp, RequestClass | 'manifest' | 'blob' | 'upload'])[] = [
  [/^\S+ \/v2\/?(\?|$)/, 'ping'],
  [/^\S+ \/v2\/_catalog(\?|$)/, 'catalog'],
  [/^\S+ \/v2\/.+\/tags\/list(\?|$)/, 'tags'],
  [/^\S+ \/v2\/.+\/referrers\/[^/]+$/, 'referrers'],
  [/^POST \/v2\/.+\/blobs\/uploads\/?\?(.*&)?mount=/, 'mount'],
  [/^\S+ \/v2\/.+\/blobs\/uploads(\/|\?|$)/, 'upload'],
  [/^\S+ \/v2\/.+\/blobs\/[^/]+$/, 'blob'],
  [/^\S+ \/v2\/.+\/manifests\/[^/]+$/, 'manifest'],
  [/^\S+ \/(?!v2\/)(.*\/)?(token|exchange)(\?|$)/, 'token'],
];

/** The class of a request by its method and path. */
export function classOf(method: string, path: string): RequestClass {
  const [, found = 'other'] = CLASSES.find(([pattern]) => pattern.test(`${method} ${path}`)) ?? [];
  if (found !== 'manifest' && found !== 'blob' && found !== 'upload') return found;
  return new RegExp(`^(${VERBS})$`).test(method) ? `${found} ${method as Verb}` : 'other';
}

/** Counts the request in `counts`, too. */
function entryOf({ method = '', url: path = '', headers }: IncomingMessage, counts: Counts): Entry {
  const requestClass = classOf(method, path);
  const nth = (counts[requestClass] ?? 0) + 1;
  counts[requestClass] = nth;
  return { method, path, class: requestClass, nth, headers, status: 0, bytesIn: 0, bytesOut: 0 };
}

function answer(
  { request, response, entry }: Omit<Passage, 'fault'>,
  { status, headers, body = '' }: Extract<Fault, { kind: 'answer' }>,
): void {
  request.on('data', (chunk: Buffer) => (entry.bytesIn += chunk.length));
  entry.status = status;
  entry.bytesOut = request.method === 'HEAD' ? 0 : Buffer.byteLength(body);
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(body);
}

interface Target {
  /** Begins the same request to the target; its body is the caller's to send. */
  send(request: IncomingMessage): ClientRequest;
  close(): void;
}

function createTarget(origin: string, scheme: string): Target {
  const isTls = origin.startsWith('https:');
  const settings = { keepAlive: true, rejectUnauthorized: false };
  const agent = isTls ? new TlsAgent(settings) : new Agent(settings);
  const send = isTls ? sendTls : sendPlain;
  return {
    send: ({ method, url = '/', headers }) => {
      const { connection: _connection, expect: _expect, ...kept } = headers;
      const forwarded = { ...kept, 'x-forwarded-proto': scheme };
      return send(new URL(origin + url), { method, agent, headers: forwarded });
    },
    close: () => agent.destroy(),
  };
}

function pass(passage: Passage, upstream: ClientRequest): void {
  const { response } = passage;
  passRequest(passage, upstream);
  upstream.once('response', (answered) => passResponse(passage, answered));
  // A target that is gone is shown as it would be without us: by a connection that breaks.
  upstream.on('error', () => {
    if (!response.headersSent) response.destroy();
  });
  response.once('close', () => {
    if (!response.writableFinished) upstream.destroy();
  });
}

/** Not a `pipeline`: a target may answer before it has read the body, and is to be heard then. */
function passRequest({ request, response, entry, fault }: Passage, upstream: ClientRequest): void {
  const limit = fault?.kind === 'cut-request' ? fault.afterBytes : Infinity;
  if (limit === 0) {
    upstream.destroy();
    response.destroy();
    return;
  }
  request.on('data', (chunk: Buffer) => {
    entry.bytesIn += chunk.length;
    if (entry.bytesIn >= limit) response.destroy();
  });
  request.pipe(upstream);
}

function passResponse({ response, entry, fault }: Passage, answered: IncomingMessage): void {
  const limit = fault?.kind === 'cut-response' ? fault.afterBytes : Infinity;
  entry.status = answered.statusCode ?? 0;
  response.writeHead(entry.status, endToEnd(answered.rawHeaders));
  response.flushHeaders();
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const kept = chunk.subarray(0, limit - entry.bytesOut);
      entry.bytesOut += kept.length;
      if (entry.bytesOut < limit) done(undefined, kept);
      else response.write(kept, () => response.destroy());
    },
  });
  pipeline(answered, counted, response, () => {});
}

/** Headers in pairs, without those that concern one connection only. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2);
    if (!/^(connection|keep-alive|transfer-encoding)$/i.test(name)) kept.push(name, value);
  }
  return kept;
}
