/**
 * Certificates and signing keys made on the spot by openssl, and the loopback HTTP(S) server that
 * the test doubles are built on.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** PEM files of a certificate and its private key. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Paths of what `createCertificates` made. */
export interface Certificates {
  readonly caCert: string;
  /** Signed by the CA, for 127.0.0.1, localhost and the names asked for. */
  readonly serverCert: string;
  readonly serverKey: string;
  /** For `--src-cert-dir`: trusts the CA. */
  readonly certDir: string;
  /** The same with a client certificate, signed by the same CA, for servers that ask for one. */
  readonly clientCertDir: string;
}

/** A server on a free port of 127.0.0.1. */
export interface LoopbackServer {
  readonly server: Server;
  /** `127.0.0.1:PORT`: what an image reference begins with. */
  readonly host: string;
  /** `http://` or `https://` and the host. */
  readonly origin: string;
  /** Stops listening and cuts what is still connected. */
  close(): Promise<void>;
}

const opensslConfig = (names: readonly string[]): string => `
[req]
distinguished_name = name
prompt = no
[name]
CN = registry-sync test
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
subjectAltName = ${['IP:127.0.0.1', 'DNS:localhost', ...names.map((name) => `DNS:${name}`)].join(', ')}
extendedKeyUsage = serverAuth
[client]
extendedKeyUsage = clientAuth
[signing]
keyUsage = critical, digitalSignature
`;

const VALID_DAYS = 7;
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
const RSA = ['-newkey', 'rsa:2048'];

/**
 * Makes a CA that nobody else trusts, and certificates signed by it, in `dir`, which must exist. The
 * server's is also for `names`.
 */
export async function createCertificates(
  dir: string,
  names: readonly string[] = [],
): Promise<Certificates> {
  const ca = await certify(dir, 'ca', EC);
  const issuer = ['-CA', ca.cert, '-CAkey', ca.key];
  const server = await certify(dir, 'server', [...EC, ...issuer], names);
  const client = await certify(dir, 'client', [...EC, ...issuer]);

  const certDir = join(dir, 'certs.d');
  const clientCertDir = join(dir, 'client-certs.d');
  for (const path of [certDir, clientCertDir]) {
    await mkdir(path);
    await copyFile(ca.cert, join(path, 'ca.crt'));
  }
  await copyFile(client.cert, join(clientCertDir, 'client.cert'));
  await copyFile(client.key, join(clientCertDir, 'client.key'));
  return {
    caCert: ca.cert,
    serverCert: server.cert,
    serverKey: server.key,
    certDir,
    clientCertDir,
  };
}

/** Makes an RSA key and the self-signed certificate by which its signatures are trusted. */
export async function createSigningKey(dir: string): Promise<KeyPair> {
  return await certify(dir, 'signing', RSA);
}

/** `name` is both the files' name and the section of the configuration with its extensions. */
async function certify(
  dir: string,
  name: string,
  flags: readonly string[],
  names: readonly string[] = [],
): Promise<KeyPair> {
  const config = join(dir, `${name}.cnf`);
  const made = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
  await writeFile(config, opensslConfig(names));
  const request = ['req', '-x509', '-nodes', '-days', String(VALID_DAYS), ...flags];
  const content = [
    '-config',
    config,
    '-extensions',
    name,
    '-subj',
    `/CN=registry-sync test ${name}`,
  ];
  const output = ['-out', made.cert, '-keyout', made.key];
  await promisify(execFile)('openssl', [...request, ...content, ...output]);
  return made;
}

/** Serves `listener`, over TLS when a certificate is given. */
export async function serveLoopback(
  listener: RequestListener,
  tls?: KeyPair,
): Promise<LoopbackServer> {
  const server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer({ cert: await readFile(tls.cert), key: await readFile(tls.key) }, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    server,
    host,
    origin: `${tls === undefined ? 'http' : 'https'}://${host}`,
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
