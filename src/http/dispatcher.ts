/**
 * Connections: one undici dispatcher per way of connecting.
 *
 * Source: containers-certs.d(5) for what lies in a certificate directory.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import { join } from 'node:path';
import {
  createSecureContext,
  rootCertificates,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls';

import type { Dispatcher } from 'undici';
// By their files: the whole of undici, with fetch and web sockets, takes three times as long to load.
import connect from 'undici/lib/api/api-connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import UndiciDispatcher from 'undici/lib/dispatcher/dispatcher.js';
import EnvHttpProxyAgent from 'undici/lib/dispatcher/env-http-proxy-agent.js';

import { RegistrySyncError } from '../base/errors.ts';

export interface ConnectionSettings {
  /** `false`: certificates are not looked at. */
  readonly verifyTls: boolean;
  /** Directories of `*.crt` (authorities), `*.cert` with `*.key` (our own); the first that exists counts. */
  readonly certDirs: readonly string[];
  /** `false`: our own certificate is kept to ourselves. */
  readonly identify: boolean;
  /** Connections per host at most. */
  readonly maxConnections: number;
  /** Looks names up. */
  readonly lookup?: LookupFunction;
  /** The environment: proxies, and further authorities by NODE_EXTRA_CA_CERTS. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** From the last byte sent to the first answered: a registry may hash gigabytes before it says 201. */
const ANSWER_TIMEOUT_MS = 5 * 60_000;
/** So long a connection is kept that nobody uses, unless the server says otherwise. */
const KEPT_MS = 10_000;
/** Between two chunks of an answer. */
const IDLE_TIMEOUT_MS = 60_000;

// As undici's own index does with all of its methods: proxies need this one.
UndiciDispatcher.prototype.connect = connect;

/** @throws {RegistrySyncError} `USAGE` when a certificate can't be read. */
export function createDispatcher(settings: ConnectionSettings): Dispatcher {
  const { verifyTls, maxConnections, lookup, env } = settings;
  // Made once: to parse all authorities anew for each connection takes longer than to connect.
  const secureContext = secureContextOf(settings);
  const tls = { secureContext, rejectUnauthorized: verifyTls };
  const options = {
    connections: maxConnections,
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: IDLE_TIMEOUT_MS,
    keepAliveTimeout: KEPT_MS,
    connect: { ...tls, ...(lookup && { lookup }), timeout: CONNECT_TIMEOUT_MS },
  };
  if (!PROXY_VARIABLES.some((name) => env[name])) return new Agent(options);
  return new EnvHttpProxyAgent({
    ...options,
    requestTls: tls,
    ...given('httpProxy', env.http_proxy ?? env.HTTP_PROXY),
    ...given('httpsProxy', env.https_proxy ?? env.HTTPS_PROXY),
    ...given('noProxy', env.no_proxy ?? env.NO_PROXY),
  });
}

const PROXY_VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];

function given(key: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [key]: value };
}

function secureContextOf(settings: ConnectionSettings): SecureContext {
  const dir = settings.certDirs.find((candidate) => existsSync(candidate));
  if (dir === undefined) return createSecureContext();
  try {
    return createSecureContext(readCertificates(dir, settings));
  } catch (cause) {
    if (cause instanceof RegistrySyncError) throw cause;
    const message = `can't use the certificates in ${dir}: ${(cause as Error).message}`;
    throw new RegistrySyncError('USAGE', message, { cause });
  }
}

function readCertificates(
  dir: string,
  { env, identify }: Pick<ConnectionSettings, 'env' | 'identify'>,
): SecureContextOptions {
  const names = readdirSync(dir).toSorted();
  const authorities = names.filter((name) => name.endsWith('.crt')).map(readIn(dir));
  // Node passes in silence over what is no certificate.
  for (const text of authorities) void new X509Certificate(text);
  const certName = names.find((name) => name.endsWith('.cert'));
  return {
    ...(authorities.length > 0 ? { ca: withDefaults(authorities, env) } : {}),
    ...(identify && certName !== undefined ? readKeyPair(dir, certName) : {}),
  };
}

function readKeyPair(dir: string, certName: string): SecureContextOptions {
  const keyName = certName.replace(/\.cert$/, '.key');
  return { cert: readIn(dir)(certName), key: readIn(dir)(keyName) };
}

/** Node takes `ca` instead of its own authorities, so they are listed with it. */
function withDefaults(own: string[], env: ConnectionSettings['env']): string[] {
  const extra = env.NODE_EXTRA_CA_CERTS;
  return [...rootCertificates, ...(extra ? [readCertificate(extra)] : []), ...own];
}

const readIn =
  (dir: string) =>
  (name: string): string =>
    readCertificate(join(dir, name));

function readCertificate(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new RegistrySyncError('USAGE', `can't read the certificate file ${path}`, { cause });
  }
}
