/**
 * The far end of all requests, in the process: hosts with any name and address can be played, and
 * nothing leaves the machine.
 */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';

import type { HttpRequest, Send } from '../../src/http/send.ts';
import { streamOf } from './blob-bytes.ts';

/** One request as it would have gone over the wire. */
export interface WireRequest {
  readonly method: string;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface Wire {
  readonly send: Send;
  /** In the order in which they were sent. */
  readonly requests: WireRequest[];
}

/** A wire whose answers are made by `answer`; what it has none for is answered with 404. */
export function createWire(answer: (request: WireRequest) => WireAnswer | undefined): Wire {
  const requests: WireRequest[] = [];
  const send: Send = async ({ method, url, headers = {}, body }) => {
    const sent = { method, url, headers, body: await bytesOf(body) };
    requests.push(sent);
    const { status, headers: named = {}, body: text = '' } = answer(sent) ?? { status: 404 };
    return { status, headers: named, body: Readable.from([Buffer.from(text)]) };
  };
  return { send, requests };
}

async function bytesOf(body: HttpRequest['body']): Promise<Buffer> {
  if (body === undefined) return Buffer.alloc(0);
  return body instanceof Uint8Array ? Buffer.from(body) : buffer(streamOf(await body.open()));
}
