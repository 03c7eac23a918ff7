/** Metrics over HTTP while a run lasts, for a Prometheus that comes by. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';

import { RegistrySyncError } from '../base/errors.ts';

export interface Endpoint {
  /** Where it listens. */
  readonly port: number;
  close(): Promise<void>;
}

export interface Exposition {
  readonly contentType: string;
  text(): Promise<string>;
}

/**
 * Serves `/metrics` at `[HOST:]PORT`; without a host at all addresses, as a pod's is not known before.
 *
 * @throws {RegistrySyncError} `USAGE` when that is no address, or not to be had.
 */
export async function listen(address: string, metrics: Exposition): Promise<Endpoint> {
  const [, host = '', port = ''] = /^(?:(.*):)?(\d{1,5})$/.exec(address) ?? [];
  if (port === '' || Number(port) > 65_535) {
    const shown = JSON.stringify(address.slice(0, 200));
    throw new RegistrySyncError('USAGE', `--metrics-listen ${shown}: write PORT or HOST:PORT`);
  }
  const server = createServer(answering(metrics));
  server.unref();
  try {
    const at = host.replace(/^\[(.*)\]$/, '$1');
    server.listen({ port: Number(port), ...(at !== '' && { host: at }) });
    await once(server, 'listening');
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    const why = REASONS[code] ?? code;
    const message = `--metrics-listen ${address}: can't listen there: ${why}`;
    throw new RegistrySyncError('USAGE', message, { cause });
  }
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : Number(port),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program does, so give another port',
  EACCES: 'that is not allowed, so give a port above 1023',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no host of that name',
};

function answering(metrics: Exposition): RequestListener {
  return (request, response) => {
    const { method = '', url = '' } = request;
    if (url.split('?')[0] !== '/metrics') {
      response.writeHead(404).end('metrics are at /metrics\n');
    } else if (!['GET', 'HEAD'].includes(method)) {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else {
      metrics.text().then(
        (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
    }
  };
}
