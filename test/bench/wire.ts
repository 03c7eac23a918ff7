/**
 * HTTP/1.1 messages as they pass, with as little work as can be: the text of each head, the pieces of
 * each body, each end. For servers that must cost less than the client that is measured, and for
 * clients that keep to the protocol: what breaks it throws.
 *
 * Source: RFC 9112 §6 (how long a body is), §7.1 (chunked).
 */
export interface WireEvents {
  /** The head with its last CRLF, without the empty line. Tells how long the body is. */
  head(text: string): Framing;
  /** A piece of the body, without the frames of chunks; not kept by the parser. */
  body(piece: Buffer): void;
  end(): void;
}

/** Bytes, or how else its end is known. */
export type Framing = number | 'chunked' | 'until-close';

type State = 'head' | 'body' | 'chunk-head' | 'chunk' | 'chunk-end' | 'trailer' | 'until-close';

interface Parser {
  state: State;
  /** Bytes of the body, or of the chunk, that are to come. */
  left: number;
}

const MAX_HEAD = 64 * 1024;
const EMPTY = Buffer.alloc(0);

/** Makes a function that takes what comes from one side of a connection. */
export function wireReader(events: WireEvents): (piece: Buffer) => void {
  const parser: Parser = { state: 'head', left: 0 };
  let rest: Buffer = EMPTY;
  return (piece) => {
    let data = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    rest = EMPTY;
    while (data.length > 0) {
      const used = step(parser, data, events);
      if (used === 0) {
        if (data.length > MAX_HEAD) throw new Error('a head without an end');
        rest = data;
        return;
      }
      data = data.subarray(used);
    }
  };
}

/** How many bytes it used; 0 when there must be more first. */
function step(parser: Parser, data: Buffer, events: WireEvents): number {
  const { state } = parser;
  if (state === 'head') return readHead(parser, data, events);
  if (state === 'body' || state === 'chunk') return readBody(parser, data, events);
  if (state === 'until-close') {
    events.body(data);
    return data.length;
  }
  return readLine(parser, data, events);
}

function readHead(parser: Parser, data: Buffer, events: WireEvents): number {
  if ((data[0] ?? 0) < 0x41) throw new Error('no HTTP'); // TLS, for one
  const end = data.indexOf('\r\n\r\n');
  if (end < 0) return 0;
  const framing = events.head(data.toString('latin1', 0, end + 2));
  if (framing === 'chunked') parser.state = 'chunk-head';
  else if (framing === 'until-close') parser.state = 'until-close';
  else if (framing === 0) events.end();
  else {
    parser.state = 'body';
    parser.left = framing;
  }
  return end + 4;
}

function readBody(parser: Parser, data: Buffer, events: WireEvents): number {
  const used = Math.min(parser.left, data.length);
  events.body(used === data.length ? data : data.subarray(0, used));
  parser.left -= used;
  if (parser.left > 0) return used;
  if (parser.state === 'chunk') parser.state = 'chunk-end';
  else {
    parser.state = 'head';
    events.end();
  }
  return used;
}

/** The lines around chunks. */
function readLine(parser: Parser, data: Buffer, events: WireEvents): number {
  const end = data.indexOf('\r\n');
  if (end < 0) return 0;
  if (parser.state === 'chunk-end') parser.state = 'chunk-head';
  else if (parser.state === 'chunk-head') {
    parser.left = Number.parseInt(data.toString('latin1', 0, end), 16);
    if (Number.isNaN(parser.left)) throw new Error('a chunk without a length');
    parser.state = parser.left === 0 ? 'trailer' : 'chunk';
  } else if (end === 0) {
    parser.state = 'head';
    events.end();
  }
  return end + 2;
}

/** The value of a header, in a head as `WireEvents.head` has it. `name` is in lower case. */
export function headerOf(head: string, name: string): string | undefined {
  return HEADERS[name]?.exec(head)?.[1];
}

const HEADERS: Readonly<Record<string, RegExp>> = Object.fromEntries(
  ['content-length', 'transfer-encoding', 'content-type', 'connection'].map((name) => [
    name,
    new RegExp(`\r\n${name}: *([^\r]*)`, 'i'),
  ]),
);

/** How long the body of a request is. */
export function requestFraming(head: string): Framing {
  const length = headerOf(head, 'content-length');
  if (length !== undefined) return Number(length);
  return headerOf(head, 'transfer-encoding') === undefined ? 0 : 'chunked';
}

/** How long the body of an answer to a request of this method is. */
export function answerFraming(head: string, method: string): Framing {
  const status = Number(head.slice(9, 12));
  if (method === 'HEAD' || status === 204 || status === 304 || status < 200) return 0;
  const length = headerOf(head, 'content-length');
  if (length !== undefined) return Number(length);
  return headerOf(head, 'transfer-encoding') === undefined ? 'until-close' : 'chunked';
}
