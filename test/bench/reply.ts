/** An answer of the registry in memory, ready to be written. */
import { STATUS_CODES } from 'node:http';

export interface Reply {
  /** The head, and the body if it is not large. */
  readonly bytes: Buffer;
  /** What comes after it: `block` again and again, until there are so many bytes. */
  readonly stream?: { readonly block: Buffer; readonly size: number };
}

/** Up to here a body is copied behind its head: one write is cheaper than two. Bytes. */
const MAX_COPIED = 128 * 1024;

/** `headers` end with a CRLF each. A `content-length` is added if there is a body or none is told. */
export function reply(status: number, headers = '', body?: Buffer): Reply {
  const length =
    body !== undefined || !headers.includes('content-length')
      ? `content-length: ${body?.length ?? 0}\r\n`
      : '';
  const text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${headers}${length}\r\n`;
  const head = Buffer.from(text, 'latin1');
  return { bytes: body === undefined ? head : Buffer.concat([head, body]) };
}

/** A body that is `block`, repeated. */
export function streamed(headers: string, block: Buffer, size: number): Reply {
  if (size <= MAX_COPIED) return reply(200, headers, block.subarray(0, size));
  return { ...reply(200, `${headers}content-length: ${size}\r\n`), stream: { block, size } };
}

export function errorReply(
  status: number,
  code: string,
  details: readonly unknown[] = [{}],
): Reply {
  const errors = details.map((detail) => ({ code, message: code.toLowerCase(), detail }));
  const body = Buffer.from(JSON.stringify({ errors }));
  return reply(status, 'content-type: application/json; charset=utf-8\r\n', body);
}
