/**
 * A world with names: https://r.test and others, played by emulators on this machine. The program is
 * led there by a proxy, as companies have them, so that hosts and addresses can be what they are in
 * attacks, and each place that it so much as knocks at is seen.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import { promisify } from 'node:util';

import { listen, type Handler, type Listener, type TlsKeys } from '../support/registry/listener.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../support/registry/registry.ts';
import { tempDir } from '../support/temp-dir.ts';

/** The hosts that the certificate is for. */
const NAMES = ['r.test', 't.test', 'auth.test', 'storage.test', 'evil.test'];

export interface World extends AsyncDisposable {
  /** For `--src-cert-dir`: trusts the certificate of all hosts. */
  readonly certDir: string;
  /** Leads the program here. */
  readonly env: Readonly<Record<string, string>>;
  /** `host:port` of each connection that was asked for, in order. */
  readonly knocks: string[];
  /** What the proxy was shown by way of Proxy-Authorization. */
  readonly proxyAuthorizations: (string | undefined)[];
  /** Starts a registry that answers for a host, with TLS. */
  registry(host: string, options?: RegistryOptions): Promise<Registry>;
  /** Starts any server that answers for a host; without TLS where the port is 80. */
  server(host: string, handle: Handler): Promise<Listener>;
  /** Connections to places other than these. */
  strayed(...expected: string[]): string[];
  close(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const dir = await tempDir();
  const tls = await certify(dir.path);
  const proxy = await startProxy();
  const closing: (() => Promise<void>)[] = [];
  const known = (host: string, at: Pick<Listener, 'url' | 'close'>): void => {
    proxy.ports.set(/:\d+$/.test(host) ? host : `${host}:443`, Number(at.url.port));
    closing.push(() => at.close());
  };
  async function close(): Promise<void> {
    await Promise.all([proxy.close(), ...closing.map((one) => one())]);
    await dir[Symbol.asyncDispose]();
  }
  return {
    certDir: join(dir.path, 'certs'),
    env: { HTTPS_PROXY: proxy.address, HTTP_PROXY: proxy.address, NO_PROXY: '127.0.0.1' },
    knocks: proxy.knocks,
    proxyAuthorizations: proxy.authorizations,
    async registry(host, options = {}) {
      const registry = await startRegistry({ ...options, tls });
      known(host, registry);
      return registry;
    },
    async server(host, handle) {
      const listener = await listen(handle, host.endsWith(':80') ? {} : { tls });
      known(host, listener);
      return listener;
    },
    strayed: (...expected) => proxy.knocks.filter((place) => !expected.includes(place)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A proxy that wants a password, notes where it is to connect to, and knows only `ports`. */
async function startProxy() {
  const ports = new Map<string, number>();
  const knocks: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on('connect', ({ url = '', headers }, client: Socket) => {
    knocks.push(url);
    authorizations.push(headers['proxy-authorization']);
    const port = ports.get(url);
    client.on('error', () => {});
    if (port === undefined) {
      client.end('HTTP/1.1 502 Nobody There\r\n\r\n');
      return;
    }
    const there = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      client.pipe(there).pipe(client);
    });
    for (const socket of [client, there]) sockets.add(socket);
    there.on('error', () => client.destroy());
    client.on('close', () => there.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  async function close(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    await closed;
  }
  const address = `http://proxy-user:proxy-secret@127.0.0.1:${port}`;
  return { address, ports, knocks, authorizations, close };
}

/** A certificate that vouches for itself, as an authority in `DIR/certs`. */
async function certify(dir: string): Promise<TlsKeys> {
  const [key, certs] = [join(dir, 'key.pem'), join(dir, 'certs')];
  const cert = join(certs, 'all.crt');
  const names = [...NAMES.map((name) => `DNS:${name}`), 'IP:127.0.0.1'].join(',');
  await mkdir(certs);
  const request = 'req -x509 -nodes -days 7 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1';
  const content = ['-subj', '/CN=registry-sync test', '-addext', `subjectAltName=${names}`];
  const output = ['-out', cert, '-keyout', key];
  await promisify(execFile)('openssl', request.split(' ').concat(content, output));
  return { key: await readFile(key), cert: await readFile(cert) };
}
