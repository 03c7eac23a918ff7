/**
 * An HTTP server on a free port of 127.0.0.1 that records what it is asked, commits the faults it is
 * told to, and leaves the answers to a handler.
 */
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { insteadOf, spoiled, type FaultEffect, type FaultPlan } from './faults.ts';
import type { Reply } from './reply.ts';

/** One request, in the order of arrival. It is filled in while the answer is given. */
export interface RequestRecord {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** 0 until the answer begins; stays 0 when there is none. */
  readonly status: number;
  /** Of the request; names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Body bytes that were read. What is thrown away after a refusal doesn't count. */
  readonly bytesIn: number;
  /** Body bytes that were written. */
  readonly bytesOut: number;
}

/** A request as a handler sees it. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  /** Stopping early is fine: the rest is read and thrown away. */
  readonly body: AsyncIterable<Buffer>;
}

export type Handler = (exchange: Exchange) => Reply | Promise<Reply>;

export interface TlsKeys {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
}

export interface ListenerOptions {
  readonly tls?: TlsKeys | undefined;
  /** Waited before each request is handled. */
  readonly latencyMs?: number | undefined;
  readonly faults?: FaultPlan | undefined;
  readonly onRequest?: OnRequest | undefined;
  /** How long an idle connection is kept; longer than any test unless given. */
  readonly keepAliveMs?: number | undefined;
}

/** Sees each request as it arrives; what it returns befalls the request, and then no other fault. */
export type OnRequest = (request: RequestRecord) => FaultEffect | undefined;

export interface Listener {
  /** Ends in a slash. */
  readonly url: URL;
  readonly requests: RequestRecord[];
  /** How many connections are open. */
  openConnections(): number;
  /** Stops listening and cuts all connections. */
  close(): Promise<void>;
}

type Entry = { -readonly [K in keyof RequestRecord]: RequestRecord[K] };

const SLICE_BYTES = 256 * 1024;
/** More than anybody may read. A client that reads everything is to fail, not to end the machine. */
const ENDLESS_BYTES = 256 * 1024 * 1024;
const MORE_BYTES = Buffer.alloc(SLICE_BYTES, 'x');
const KEEP_ALIVE_MS = 60_000; // longer than any test: no idle socket dies under a client's next request

/** Starts listening. */
export async function listen(handle: Handler, options: ListenerOptions = {}): Promise<Listener> {
  const requests: Entry[] = [];
  const server = options.tls ? createTlsServer(options.tls) : createServer();
  server.keepAliveTimeout = options.keepAliveMs ?? KEEP_ALIVE_MS;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = new URL(`${options.tls ? 'https' : 'http'}://127.0.0.1:${port}/`);

  let open = 0;
  server.on('connection', (socket) => {
    open += 1;
    socket.once('close', () => (open -= 1));
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', url: path = '/', headers } = request;
    const entry: Entry = { method, path, status: 0, headers, bytesIn: 0, bytesOut: 0 };
    requests.push(entry);
    const exchange = { method, url: urlOf(path, url), headers, body: counted(request, entry) };
    void serve(() => handle(exchange), { request, response, entry, options });
  });

  async function close(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }
  return { url, requests, openConnections: () => open, close };
}

/** Everything that belongs to one request. */
interface Serving {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly entry: Entry;
  readonly options: ListenerOptions;
}

async function serve(handle: () => Reply | Promise<Reply>, serving: Serving): Promise<void> {
  const { entry, options } = serving;
  const effect = options.onRequest?.(entry) ?? options.faults?.next(entry.method, entry.path);
  try {
    if (options.latencyMs) await sleep(options.latencyMs);
    if (effect === undefined) await send(await handle(), serving);
    else await serveAmiss(handle, serving, effect);
  } catch (error) {
    await confess(error as Error, serving);
  }
}

async function serveAmiss(
  handle: () => Reply | Promise<Reply>,
  serving: Serving,
  effect: FaultEffect,
): Promise<void> {
  if ('stall' in effect) return;
  if ('afterRead' in effect) await readSome(serving, effect.afterRead ?? 0);
  if ('reset' in effect) {
    serving.request.socket.destroy();
    return;
  }
  if ('raw' in effect) {
    serving.request.socket.end(effect.raw);
    return;
  }
  if ('endless' in effect) {
    await sendForEver(effect, serving);
    return;
  }
  if ('delayMs' in effect) await sleep(effect.delayMs, undefined, { ref: false });
  const reply = insteadOf(effect, serving.entry.path) ?? (await handle());
  await send(spoiled(reply, effect), serving, effect);
}

/** Reads the request's body until so many bytes of it have come. */
async function readSome({ request, entry }: Serving, bytes: number): Promise<void> {
  const body = counted(request, entry);
  while (entry.bytesIn < bytes && (await body.next()).done !== true);
}

/** Tells the client of a bug in the handler, unless it is only that the client has gone. */
async function confess(error: Error, serving: Serving): Promise<void> {
  const { request, response } = serving;
  if (request.socket.destroyed) return;
  if (response.headersSent) request.socket.destroy();
  else await send({ status: 500, body: Buffer.from(String(error.stack)) }, serving);
}

async function send(reply: Reply, serving: Serving, effect?: FaultEffect): Promise<void> {
  const { response, entry } = serving;
  const { status, headers = {}, repeated, body } = reply;
  entry.status = status;
  if (effect && 'lose' in effect) {
    lose(serving, effect.lose);
    return;
  }
  response.writeHead(status, { ...headers, ...repeated, ...framing(reply, response, effect) });
  if ((body === undefined && !isAboutBody(effect)) || entry.method === 'HEAD') {
    response.end();
    return;
  }
  if (effect && isAboutBody(effect)) await sendAmiss(body ?? Buffer.alloc(0), serving, effect);
  else await pipeline(Readable.from(slices(body ?? Buffer.alloc(0), entry)), response);
}

type BodyEffect = Extract<
  FaultEffect,
  { cutAfter: number } | { stallAfter: number } | { lengthOff: number } | { trickle: number }
>;

function isAboutBody(effect: FaultEffect | undefined): effect is BodyEffect {
  const names = ['cutAfter', 'stallAfter', 'lengthOff', 'trickle'];
  return effect !== undefined && names.some((name) => name in effect);
}

/** How the client is to know where the body ends. */
function framing(
  { body, chunked = false }: Reply,
  response: ServerResponse,
  effect: FaultEffect | undefined,
): Record<string, string> {
  if (effect && 'framing' in effect) {
    response.shouldKeepAlive = effect.framing === 'chunked';
    response.useChunkedEncodingByDefault = effect.framing === 'chunked';
    return {};
  }
  if (effect && 'lengthOff' in effect) {
    return { 'Content-Length': String(Math.max(0, (body?.length ?? 0) + effect.lengthOff)) };
  }
  return body === undefined || chunked ? {} : { 'Content-Length': String(body.length) };
}

async function sendAmiss(body: Buffer, serving: Serving, effect: BodyEffect): Promise<void> {
  const { response, entry } = serving;
  if ('cutAfter' in effect) {
    cut(body.subarray(0, effect.cutAfter), serving);
  } else if ('stallAfter' in effect) {
    entry.bytesOut += Math.min(body.length, effect.stallAfter);
    response.flushHeaders();
    response.write(body.subarray(0, effect.stallAfter));
  } else if ('lengthOff' in effect) {
    cut(body, serving);
  } else {
    response.flushHeaders();
    for (let at = 0; at < body.length; at += effect.trickle) {
      await sleep(effect.pauseMs, undefined, { ref: false });
      response.write(body.subarray(at, at + effect.trickle));
      entry.bytesOut = Math.min(body.length, at + effect.trickle);
    }
    response.end();
  }
}

/** Ends the connection instead of answering, or in the midst of a header. */
function lose({ response }: Serving, what: 'answer' | 'half the head'): void {
  const { socket } = response;
  if (what === 'half the head') socket?.write('HTTP/1.1 200 OK\r\nContent-Ty');
  socket?.destroySoon();
}

/** Writes as fast as it is read, until the client closes the connection, or is without hope. */
async function sendForEver(
  { endless, status = 200, headers = {} }: Extract<FaultEffect, { endless: string }>,
  { response, entry }: Serving,
): Promise<void> {
  entry.status = status;
  response.writeHead(status, headers);
  if (entry.method === 'HEAD') {
    response.end();
    return;
  }
  await pipeline(Readable.from(bytesForEver(Buffer.from(endless), entry)), response).catch(
    () => {}, // the client has had enough
  );
}

function* bytesForEver(begin: Buffer, entry: Entry): Generator<Buffer, void, void> {
  for (let bytes = begin; entry.bytesOut < ENDLESS_BYTES; bytes = MORE_BYTES) {
    entry.bytesOut += bytes.length;
    yield bytes;
  }
}

/** Writes the head and `part` of the body, then ends the connection. */
function cut(part: Buffer, { response, entry }: Serving): void {
  entry.bytesOut += part.length;
  response.flushHeaders();
  if (part.length > 0) response.write(part);
  response.socket?.destroySoon();
}

function* slices(body: Buffer, entry: Entry): Generator<Buffer, void, void> {
  for (let at = 0; at < body.length; at += SLICE_BYTES) {
    const slice = body.subarray(at, at + SLICE_BYTES);
    entry.bytesOut += slice.length;
    yield slice;
  }
}

async function* counted(
  request: IncomingMessage,
  entry: Entry,
): AsyncGenerator<Buffer, void, void> {
  // Not `for await (… of request)`, which destroys the socket, and the answer with it, on `break`.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    entry.bytesIn += (chunk as Buffer).length;
    yield chunk as Buffer;
  }
}

function urlOf(path: string, origin: URL): URL {
  const url = path.startsWith('/') ? `${origin.origin}${path}` : path;
  return URL.canParse(url) ? new URL(url) : new URL('/unreadable', origin);
}
