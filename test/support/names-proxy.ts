/**
 * A forward proxy under which real names lead to servers of a test: `gsoci.azurecr.io`, `docker.io`.
 * Clients are given it as HTTPS_PROXY and notice nothing else.
 *
 * Source: RFC 9110 §9.3.6, CONNECT.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface NamesProxy {
  /** For HTTPS_PROXY. */
  readonly url: string;
  /** `host:port` of each CONNECT, in the order of arrival, refused ones too. */
  readonly connected: readonly string[];
  close(): Promise<void>;
}

/**
 * Starts a proxy. `places` says for each host name where its port 443 is: the URL of a TLS server.
 * Any other name is refused with 502.
 */
export async function startNamesProxy(
  places: Readonly<Record<string, URL | string>>,
): Promise<NamesProxy> {
  const connected: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => response.writeHead(501).end());
  server.on('connection', (socket) => keep(sockets, socket));
  server.on('connect', ({ url: asked = '' }, client: Socket) => {
    connected.push(asked);
    const place = places[asked.replace(/:443$/, '')];
    if (place === undefined) {
      client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      return;
    }
    const { hostname, port } = new URL(place);
    const there = keep(sockets, connect(Number(port), hostname));
    there.once('connect', () => client.write('HTTP/1.1 200 Connection Established\r\n\r\n'));
    client.pipe(there).pipe(client);
    client.on('error', () => there.destroy()).on('close', () => there.destroy());
    there.on('error', () => client.destroy()).on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    connected,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function keep(sockets: Set<Socket>, socket: Socket): Socket {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  return socket;
}
