/**
 * A registry that costs next to nothing, for timing what talks to it: HTTP/1.1 straight over sockets,
 * all in memory, an answer written at once or a round trip after its request.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

import { answer, type Asked } from './answers.ts';
import { delayLine, type Line } from './delay.ts';
import { answerMillion } from './million.ts';
import { reply, type Reply } from './reply.ts';
import { routeOf, type Route } from './route.ts';
import { emptyStore, type Store } from './store.ts';
import {
  countClass,
  countOpened,
  countStarted,
  newTally,
  resetTally,
  type Tally,
} from './tally.ts';
import { headerOf, requestFraming, wireReader, type WireEvents } from './wire.ts';

export interface MemoryRegistryOptions {
  /** Where what is put goes, and is read from; absent, it has a million tags. */
  readonly holds: 'store' | 'million';
  /** PEM texts: served over TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface MemoryRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly tally: Tally;
  /** What it holds; put another in its place as you like. */
  store: Store;
  /** Forgets what was counted; answers come `rttMs` after their requests from now on. */
  reset(rttMs: number): void;
}

/** What one answer waits for and where it goes. */
interface Pending {
  readonly connection: Connection;
  readonly reply: Reply;
}

interface Connection {
  readonly socket: Socket;
  /** Whether an answer has been sent: the first waits for the connection, too. */
  isNew: boolean;
  closes: boolean;
}

interface Lines {
  readonly first: Line<Pending>;
  readonly further: Line<Pending>;
}

/** To a client that speaks TLS where there is none, too: as Go's servers do. */
const BAD_REQUEST = reply(400, 'connection: close\r\n');
const EMPTY = Buffer.alloc(0);

export async function startMemoryRegistry({
  holds,
  tls,
}: MemoryRegistryOptions): Promise<MemoryRegistry> {
  const tally = newTally();
  const act = (pending: Pending): void => send(pending, tally);
  const linesOf = (rttMs: number): Lines => ({
    // A connection takes a round trip, its TLS another.
    first: delayLine(rttMs * (tls === undefined ? 2 : 3), act),
    further: delayLine(rttMs, act),
  });
  let lines = linesOf(0);
  const onConnection = (socket: Socket): void => {
    countOpened(tally);
    const connection: Connection = { socket, isNew: true, closes: false };
    const read = wireReader(requests(connection));
    socket.setNoDelay(true);
    socket.on('data', (piece: Buffer) => {
      tally.bytesIn += piece.length;
      try {
        read(piece);
      } catch {
        connection.closes = true;
        countStarted(tally);
        lines.first({ connection, reply: BAD_REQUEST });
      }
    });
    socket.on('error', () => {});
    socket.once('close', () => (tally.open -= 1));
  };
  const requests = (connection: Connection): WireEvents =>
    requestReader(connection, tally, (asked) => {
      const made = holds === 'million' ? answerMillion(asked) : answer(registry.store, asked);
      const line = connection.isNew ? lines.first : lines.further;
      connection.isNew = false;
      line({ connection, reply: made });
    });
  const server: Server =
    tls === undefined ? createServer(onConnection) : createTlsServer(tls, onConnection);
  server.listen(0, '127.0.0.1', 1024);
  await once(server, 'listening');
  const registry: MemoryRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    tally,
    store: emptyStore(),
    reset(rttMs) {
      resetTally(tally);
      lines = linesOf(rttMs);
    },
  };
  return registry;
}

function requestReader(
  connection: Connection,
  tally: Tally,
  onRequest: (asked: Asked) => void,
): WireEvents {
  let route: Route;
  let contentType = '';
  let size = 0;
  let kept: Buffer[] = [];
  return {
    head(text) {
      route = routeOf(text.slice(0, text.indexOf('\r\n')));
      countClass(tally, route.class);
      countStarted(tally);
      size = 0;
      connection.closes = headerOf(text, 'connection')?.toLowerCase() === 'close';
      if (route.method === 'HEAD' || route.method === 'GET') return 0;
      contentType = headerOf(text, 'content-type') ?? '';
      return requestFraming(text);
    },
    body(piece) {
      size += piece.length;
      if (route.class === 'manifest PUT') kept.push(piece);
    },
    end() {
      const body = kept.length === 0 ? EMPTY : Buffer.concat(kept);
      kept = [];
      onRequest({ route, contentType, size, body });
    },
  };
}

function send(
  { connection: { socket, closes }, reply: { bytes, stream } }: Pending,
  tally: Tally,
): void {
  tally.bytesOut += bytes.length;
  const done = (): void => {
    tally.underWay -= 1;
    if (closes) socket.end();
  };
  if (socket.destroyed) {
    tally.underWay -= 1;
    return;
  }
  socket.write(bytes);
  if (stream === undefined) return done();
  const { block, size } = stream;
  let sent = 0;
  const more = (): void => {
    while (sent < size && !socket.destroyed) {
      const piece = size - sent < block.length ? block.subarray(0, size - sent) : block;
      sent += piece.length;
      tally.bytesOut += piece.length;
      if (!socket.write(piece) && sent < size) {
        socket.once('drain', more);
        return;
      }
    }
    socket.off('close', more);
    done();
  };
  socket.once('close', more); // a client that goes away ends it
  more();
}
