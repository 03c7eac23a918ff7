/**
 * A registry of one blob that may be of any size: it is made while it is read and hashed while it is
 * written, so that nobody holds it. Its tokens hold for so many bytes.
 */
import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { pseudoRandomBytes } from '../support/registry/layer-bytes.ts';
import { serveLoopback } from '../support/tls.ts';

export const MIB = 1024 * 1024;
const BLOCK = pseudoRandomBytes('huge', MIB);

/** The bytes of the blob from `offset` on, in blocks of a MiB that all differ. */
function* blocksFrom(offset: number, size: number): Generator<Buffer, void, void> {
  for (let at = offset; at < size;) {
    const start = at % MIB;
    const block = Buffer.from(BLOCK.subarray(0, Math.min(MIB, size - (at - start))));
    block.writeUInt32LE(Math.floor(at / MIB), 0);
    yield block.subarray(start);
    at += block.length - start;
  }
}

/** Its digest; seconds for gigabytes. */
export function digestOfHuge(size: number): string {
  const hash = createHash('sha256');
  for (const block of blocksFrom(0, size)) hash.update(block);
  return `sha256:${hash.digest('hex')}`;
}

export interface HugeOptions {
  readonly size: number;
  readonly digest: string;
  /** A token is refused once so many bytes went over the wire since it was given, and with it the connection. */
  readonly bytesPerToken?: number;
  /** An upload is refused with 401 once so many bytes of it have come; only the first. */
  readonly refuseUploadAfter?: number;
}

export interface HugeRegistry extends AsyncDisposable {
  readonly host: string;
  /** Method, status, and the range where one was asked for. */
  readonly requests: string[];
  readonly tokens: number;
  /** Bytes of bodies, both ways. */
  readonly bytes: number;
  /** Whether an upload was closed whose bytes have the digest. */
  readonly isThere: boolean;
}

export async function startHuge(options: HugeOptions): Promise<HugeRegistry> {
  const state = new HugeState(options);
  const server = await serveLoopback((request, response) => {
    state.serve(request, response).catch(() => response.destroy());
  });
  state.origin = server.origin;
  return {
    host: server.host,
    requests: state.requests,
    get tokens() {
      return state.tokens;
    },
    get bytes() {
      return state.bytes;
    },
    get isThere() {
      return state.isThere;
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

class HugeState {
  readonly requests: string[] = [];
  origin = '';
  tokens = 0;
  bytes = 0;
  isThere = false;
  readonly #options: HugeOptions;
  #voidAt = Infinity;
  #refusals = 1;
  #upload: Hash = createHash('sha256');

  constructor(options: HugeOptions) {
    this.#options = options;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    if (url.startsWith('/token')) {
      this.tokens += 1;
      this.#voidAt = this.bytes + (this.#options.bytesPerToken ?? Infinity);
      response.end(JSON.stringify({ token: `t${this.tokens}`, expires_in: 3600 }));
      return;
    }
    const isGood = headers.authorization === `Bearer t${this.tokens}` && this.bytes < this.#voidAt;
    response.once('finish', () => this.#note(request, response));
    if (!isGood) this.#refuse(response);
    else if (method === 'GET') await this.#send(request, response);
    else if (method === 'PATCH') await this.#take(request, response);
    else this.#answer(method, response);
  }

  #note({ method, headers, url }: IncomingMessage, { statusCode }: ServerResponse): void {
    if (url === '/v2/') return;
    this.requests.push([method, statusCode, headers.range].filter(Boolean).join(' '));
  }

  #refuse(response: ServerResponse): void {
    const challenge = `Bearer realm="${this.origin}/token",service="huge"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end();
  }

  #answer(method: string, response: ServerResponse): void {
    const location = `${this.origin}/v2/a/blobs/uploads/1`;
    if (method === 'HEAD') response.writeHead(this.isThere ? 200 : 404).end();
    else if (method === 'POST') response.writeHead(202, { location }).end();
    else {
      this.isThere = this.#options.digest === `sha256:${this.#upload.digest('hex')}`;
      response.writeHead(this.isThere ? 201 : 400).end();
    }
  }

  async #send({ headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const { size } = this.#options;
    const offset = Number(/\d+/.exec(headers.range ?? '0')?.[0]);
    response.writeHead(offset === 0 ? 200 : 206, {
      'content-length': size - offset,
      ...(offset > 0 && { 'content-range': `bytes ${offset}-${size - 1}/${size}` }),
    });
    for (const block of blocksFrom(offset, size)) {
      if (this.bytes >= this.#voidAt) {
        this.requests.push('GET broken');
        response.destroy();
        return;
      }
      this.bytes += block.length;
      if (!response.write(block)) await once(response, 'drain');
    }
    response.end();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { refuseUploadAfter = Infinity } = this.#options;
    this.#upload = createHash('sha256');
    let taken = 0;
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      const { length } = chunk as Buffer;
      taken += length;
      this.bytes += length;
      this.#upload.update(chunk as Buffer);
      if (taken >= refuseUploadAfter && this.#refusals > 0) {
        this.#refusals -= 1;
        this.#refuse(response);
        return;
      }
    }
    const location = `${this.origin}/v2/a/blobs/uploads/2`;
    response.writeHead(202, { location }).end();
  }
}
