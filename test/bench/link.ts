/**
 * A link to a registry: passes bytes both ways, late or slowly, and counts the requests in them. It
 * reads heads as they pass and changes nothing, so a registry's absolute `Location`s lead to it.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { delayLine, pacedLine, type Line } from './delay.ts';
import { routeOf } from './route.ts';
import {
  countClass,
  countOpened,
  countStarted,
  newTally,
  resetTally,
  type Tally,
} from './tally.ts';
import { answerFraming, requestFraming, wireReader } from './wire.ts';

export interface LinkShape {
  /** A round trip. */
  readonly rttMs: number;
  /** Each way, of all connections together; no limit unless given. */
  readonly bytesPerS?: number;
}

export interface Link {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly tally: Tally;
  /** Where connections lead from now on. */
  upstreamPort: number;
  /** Forgets what was counted; new connections are of this shape. */
  reset(shape: LinkShape): void;
}

/** Bytes on their way; none: the end. */
interface Parcel {
  readonly bytes: Buffer | undefined;
  readonly way: Way;
}

/** One direction of one connection. */
interface Way {
  readonly from: Socket;
  readonly to: Socket;
  /** Bytes that are in the line or not taken yet. */
  underWay: number;
}

interface Lines {
  readonly setUp: Line<() => void>;
  readonly there: Line<Parcel>;
  readonly back: Line<Parcel>;
}

/** As large as Linux lets the window of a connection grow by itself. */
const WINDOW_BYTES = 4 * 1024 * 1024;

export async function startLink(): Promise<Link> {
  const tally = newTally();
  let lines = linesOf({ rttMs: 0 });
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const options = { port: link.upstreamPort, host: '127.0.0.1', noDelay: true };
    const upstream = connect({ ...options, allowHalfOpen: true });
    join(client, upstream, tally, lines);
  });
  server.listen(0, '127.0.0.1', 1024);
  await once(server, 'listening');
  const link: Link = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    tally,
    upstreamPort: 0,
    reset(shape) {
      resetTally(tally);
      lines = linesOf(shape);
    },
  };
  return link;
}

function linesOf({ rttMs, bytesPerS }: LinkShape): Lines {
  const way = (): Line<Parcel> => {
    const delay = delayLine(rttMs / 2, deliver);
    const sizeOf = ({ bytes }: Parcel): number => bytes?.length ?? 0;
    return bytesPerS === undefined ? delay : pacedLine(bytesPerS, sizeOf, delay);
  };
  return { setUp: delayLine(rttMs, (go) => go()), there: way(), back: way() };
}

function deliver({ bytes, way }: Parcel): void {
  const { from, to } = way;
  if (bytes === undefined) to.end();
  else if (!to.destroyed) {
    to.write(bytes, () => {
      way.underWay -= bytes.length;
      if (way.underWay < WINDOW_BYTES) from.resume();
    });
  }
}

function join(client: Socket, upstream: Socket, tally: Tally, lines: Lines): void {
  const count = countMessages(tally);
  countOpened(tally);
  client.pause(); // until the connection would be there
  lines.setUp(() => client.resume());
  const there: Way = { from: client, to: upstream, underWay: 0 };
  const back: Way = { from: upstream, to: client, underWay: 0 };
  carry(there, lines.there, (bytes) => {
    tally.bytesIn += bytes.length;
    count.request(bytes);
  });
  carry(back, lines.back, (bytes) => {
    tally.bytesOut += bytes.length;
    count.answer(bytes);
  });
  client.once('close', () => {
    tally.open -= 1;
    count.closed();
    upstream.destroy();
  });
  upstream.once('error', () => client.destroy());
  client.once('error', () => upstream.destroy());
}

function carry(way: Way, line: Line<Parcel>, seen: (bytes: Buffer) => void): void {
  const { from } = way;
  from.on('data', (bytes: Buffer) => {
    seen(bytes);
    way.underWay += bytes.length;
    if (way.underWay >= WINDOW_BYTES) from.pause();
    line({ bytes, way });
  });
  from.once('end', () => line({ bytes: undefined, way }));
}

interface Counting {
  request(bytes: Buffer): void;
  answer(bytes: Buffer): void;
  closed(): void;
}

/** Of one connection, on which a request waits for the answer to the one before it. */
function countMessages(tally: Tally): Counting {
  let method: string | undefined; // of the request that is under way
  let isInterim = false;
  const ended = (): void => {
    if (method !== undefined) tally.underWay -= 1;
    method = undefined;
  };
  const request = wireReader({
    head(text) {
      const route = routeOf(text.slice(0, text.indexOf('\r\n')));
      ({ method } = route);
      countClass(tally, route.class);
      countStarted(tally);
      return requestFraming(text);
    },
    body: () => {},
    end: () => {},
  });
  const answer = wireReader({
    head(text) {
      isInterim = text.startsWith('HTTP/1.1 1');
      return answerFraming(text, method ?? 'GET');
    },
    body: () => {},
    end: () => (isInterim ? undefined : ended()),
  });
  return { request: untilItThrows(request), answer: untilItThrows(answer), closed: ended };
}

/** What is no HTTP passes, too: who asks whether there is TLS is told no by the registry itself. */
function untilItThrows(read: (bytes: Buffer) => void): (bytes: Buffer) => void {
  let isHttp = true;
  return (bytes) => {
    if (!isHttp) return;
    try {
      read(bytes);
    } catch {
      isHttp = false;
    }
  };
}
