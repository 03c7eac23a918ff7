/**
 * Speaks to a Docker daemon: over a socket, TCP or TLS, in the version that the daemon says it has.
 *
 * Sources: Docker Engine API 1.41; docs.docker.com, «Protect the Docker daemon socket».
 */
import { readFile } from 'node:fs/promises';
import { request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

import { cancelled, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import { shown } from '../base/shown.ts';
import { isObject } from '../image/descriptor.ts';
import type { StoreSettings } from './open.ts';

const DEFAULT_HOST = 'unix:///var/run/docker.sock';
const TLS_PORT = '2376';
const PLAIN_PORT = '2375';

/** More than a daemon has to say. Bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** A daemon answers at once that it is there. Milliseconds. */
const PING_TIMEOUT_MS = 30_000;

export interface DaemonRequest {
  readonly method: 'GET' | 'POST';
  /** Without the version: `/images/load?quiet=1`. */
  readonly path: string;
  readonly body?: { readonly bytes: Readable; readonly size: number };
}

export interface Daemon {
  /** As it was given: `unix:///var/run/docker.sock`. */
  readonly host: string;
  /** What it answers with a status below 300. */
  send(request: DaemonRequest, signal: AbortSignal): Promise<IncomingMessage>;
}

/** Where requests go. */
interface Target {
  readonly host: string;
  readonly options: RequestOptions;
  readonly send: typeof plainRequest;
}

/**
 * Finds the daemon, and which version of the API it speaks.
 *
 * @throws {RegistrySyncError} `UNAVAILABLE` when nobody answers; `USAGE` when its address is none.
 */
export async function connectDaemon(settings: StoreSettings, signal: AbortSignal): Promise<Daemon> {
  const target = await targetOf(settings);
  const limited = AbortSignal.any([signal, AbortSignal.timeout(PING_TIMEOUT_MS)]);
  const pong = await exchange(target, { method: 'GET', path: '/_ping' }, limited);
  pong.resume();
  const { 'api-version': version } = pong.headers;
  const prefix = typeof version === 'string' && /^\d+\.\d+$/.test(version) ? `/v${version}` : '';
  return {
    host: target.host,
    send: async (request, abort) => {
      const answer = await exchange(target, { ...request, path: prefix + request.path }, abort);
      if ((answer.statusCode ?? 0) < 300) return answer;
      throw await refusal(answer, target.host, abort);
    },
  };
}

/** @throws {RegistrySyncError} `UNAVAILABLE` when the daemon goes away in the middle of it. */
export async function* bodyOf(
  answer: IncomingMessage,
  host: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* answer as AsyncIterable<Uint8Array>;
  } catch (cause) {
    if (signal.aborted) throw cancelled(signal);
    const message = `the Docker daemon at ${host} broke off its answer: ${shown((cause as Error).message)}`;
    throw new RegistrySyncError('UNAVAILABLE', message, { cause });
  }
}

/** An answer that is not large. */
export async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      const message = `the Docker daemon answers more than ${MAX_ANSWER_BYTES} bytes`;
      throw new RegistrySyncError('PROTOCOL', message);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function targetOf(settings: StoreSettings): Promise<Target> {
  const host = settings.daemonHost || settings.env['DOCKER_HOST'] || DEFAULT_HOST;
  const unix = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  if (unix !== undefined) {
    return { host, options: { socketPath: unix, headers: { host: 'docker' } }, send: plainRequest };
  }
  const url = daemonUrl(host);
  const hostname = url.hostname.replaceAll(/^\[|\]$/g, '');
  const shownHost = `${url.protocol}//${url.host}`; // without a password
  if (!isTls(url, settings)) {
    const port = url.port || (url.protocol === 'http:' ? '80' : PLAIN_PORT);
    return { host: shownHost, options: { hostname, port }, send: plainRequest };
  }
  const port = url.port || (url.protocol === 'https:' ? '443' : TLS_PORT);
  const options = { hostname, port, ...(await tlsOptions(settings)) };
  return { host: shownHost, options, send: tlsRequest };
}

function daemonUrl(host: string): URL {
  const url = URL.canParse(host) ? new URL(host) : undefined;
  if (url !== undefined && /^(?:tcp|https?):$/.test(url.protocol) && url.hostname !== '')
    return url;
  const quoted = JSON.stringify(shown(host.replace(/\/\/.*@/, '//')));
  const message = `the address ${quoted} of the Docker daemon can't be used: write unix:///PATH, tcp://HOST:PORT, http://… or https://…`;
  throw new RegistrySyncError('USAGE', message);
}

/** `tcp:` leaves open which it is. */
function isTls({ protocol, port }: URL, settings: StoreSettings): boolean {
  if (protocol !== 'tcp:') return protocol === 'https:';
  const { env, daemonCertDir, daemonTlsVerify } = settings;
  const asked = daemonCertDir || env['DOCKER_CERT_PATH'] || env['DOCKER_TLS_VERIFY'];
  return Boolean(asked) || daemonTlsVerify !== undefined || port === TLS_PORT;
}

async function tlsOptions(settings: StoreSettings): Promise<object> {
  const { env, daemonCertDir, daemonTlsVerify } = settings;
  const directory = daemonCertDir || env['DOCKER_CERT_PATH'];
  const read = (name: string): Promise<Buffer | undefined> =>
    directory ? readOptional(join(directory, name)) : Promise.resolve(undefined);
  const [ca, cert, key] = await Promise.all(['ca.pem', 'cert.pem', 'key.pem'].map(read));
  return {
    ...(ca && { ca }),
    ...(cert && key && { cert, key }),
    rejectUnauthorized: daemonTlsVerify !== false,
  };
}

async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new RegistrySyncError('USAGE', `can't read ${path}: ${code ?? ''}`, { cause });
  }
}

/** One request. An answer that comes before all was sent is an answer, and the rest is sent nevertheless. */
function exchange(
  { host, options, send }: Target,
  { method, path, body }: DaemonRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  throwIfAborted(signal);
  const headers = {
    ...options.headers,
    ...(body && { 'content-type': 'application/x-tar', 'content-length': body.size }),
  };
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      body?.bytes.destroy();
      reject(signal.aborted ? aborted(signal, host) : unreachable(host, error));
    };
    let outgoing;
    try {
      outgoing = send({ ...options, method, path, headers, signal, agent: false });
    } catch (cause) {
      const { message } = cause as Error; // certificates that are none
      reject(new RegistrySyncError('USAGE', `can't connect to ${host}: ${message}`, { cause }));
      return;
    }
    outgoing.once('response', (answer) => {
      answer.once('close', () => body?.bytes.destroy());
      resolve(answer);
    });
    outgoing.on('error', fail);
    if (body === undefined) {
      outgoing.end();
      return;
    }
    body.bytes.once('error', (error) => {
      outgoing.destroy();
      reject(error);
    });
    body.bytes.pipe(outgoing);
  });
}

function aborted(signal: AbortSignal, host: string): RegistrySyncError {
  const { name } = signal.reason as { name?: unknown };
  return name === 'TimeoutError' ? unreachable(host, signal.reason) : cancelled(signal);
}

function unreachable(host: string, cause: unknown): RegistrySyncError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') {
    const hint = `you may not use the Docker daemon at ${host}: join the group docker, or run it as root`;
    return new RegistrySyncError('UNAUTHORIZED', hint, { cause });
  }
  const why = code === 'ENOENT' ? 'there is no such socket' : shown(message);
  const hint = `no Docker daemon answers at ${host} (${why}): start it, or say where it is by DOCKER_HOST, --src-daemon-host or --dest-daemon-host`;
  return new RegistrySyncError('UNAVAILABLE', hint, { cause });
}

async function refusal(
  answer: IncomingMessage,
  host: string,
  signal: AbortSignal,
): Promise<RegistrySyncError> {
  const { statusCode: status = 0 } = answer;
  const said = messageIn(await textOf(bodyOf(answer, host, signal)));
  const code = status === 404 ? 'NOT_FOUND' : status < 500 ? 'REJECTED' : 'UNAVAILABLE';
  const message = `the Docker daemon at ${host} answers ${status}: ${shown(said)}`;
  return new RegistrySyncError(code, message, { details: { status } });
}

function messageIn(text: string): string {
  try {
    const json: unknown = JSON.parse(text);
    if (isObject(json) && typeof json.message === 'string') return json.message;
  } catch {
    // is shown as it is
  }
  return text;
}
