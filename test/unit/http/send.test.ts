import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { createDispatcher } from '../../../src/http/dispatcher.ts';
import {
  asHttpError,
  compose,
  discard,
  header,
  readBody,
  undiciSend,
  type HttpResponse,
  type Send,
  type Wrap,
} from '../../../src/http/send.ts';

const { signal: NEVER } = new AbortController();

/** A server on loopback, a Send that reaches it, and how many connections it saw. */
async function serve(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  answerMs?: number,
) {
  const server = createServer(answer);
  const state = { sockets: 0 };
  server.on('connection', () => (state.sockets += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const dispatcher = createDispatcher({
    verifyTls: true,
    identify: true,
    certDirs: [],
    maxConnections: 1,
    env: {},
  });
  t.after(async () => {
    await dispatcher.destroy();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    send: undiciSend(dispatcher, answerMs),
    url: new URL(`http://127.0.0.1:${port}/x?y=1`),
    state,
    server,
  };
}

function responseOf(body: Readable): HttpResponse {
  return { status: 200, headers: {}, body };
}

describe('undiciSend', () => {
  it('sends what it is given, and gives what comes', async (t) => {
    const { send, url } = await serve(t, (request, response) => {
      response.writeHead(201, {
        'set-cookie': ['a', 'b'],
        'x-seen': `${request.method} ${request.url}`,
      });
      request.pipe(response);
    });

    const response = await send({ method: 'PUT', url, body: Buffer.from('abc'), signal: NEVER });

    equal(String(await readBody(response, 10, 'x')), 'abc');
    equal(response.status, 201);
    equal(header(response, 'x-seen'), 'PUT /x?y=1');
    equal(header(response, 'set-cookie'), 'a, b');
  });

  it('asks for bytes as they are, and says how many it sends', async (t) => {
    const { send, url } = await serve(t, ({ headers }, response) =>
      response.end(JSON.stringify(headers)),
    );
    const stream = { size: 3, open: async () => Readable.from([Buffer.from('abc')]) };

    for (const body of [Buffer.from('abc'), stream]) {
      const response = await send({ method: 'PUT', url, body, signal: NEVER });
      const seen = JSON.parse(String(await readBody(response, 1000, 'x'))) as Record<
        string,
        string
      >;

      deepEqual([seen['content-length'], seen['transfer-encoding']], ['3', undefined]);
      equal(seen['accept-encoding'], 'identity');
    }
  });

  it('keeps its connection over HEADs', async (t) => {
    const { send, url, state } = await serve(t, (_, response) => response.end());

    for (let count = 0; count < 20; count += 1) {
      await discard(await send({ method: 'HEAD', url, signal: NEVER }));
    }

    equal(state.sockets, 1);
  });
});

describe('a request that fails to be sent', () => {
  it('sends nothing once it is aborted', async (t) => {
    const { send, url, state } = await serve(t, (_, response) => response.end());
    const open = async (): Promise<Readable> => Promise.reject(new Error('opened'));

    const sent = send({ method: 'PUT', url, body: { size: 1, open }, signal: AbortSignal.abort() });

    await rejects(sent, { code: 'CANCELLED' });
    equal(state.sockets, 0);
  });

  it('ends with the reason of an abort while it waits', async (t) => {
    const aborting = new AbortController();
    const { send, url } = await serve(t, () => aborting.abort('late'));

    await rejects(send({ method: 'GET', url, signal: aborting.signal }), {
      code: 'CANCELLED',
      cause: 'late',
    });
  });

  it('says when there is nobody', async (t) => {
    const { send, url, server } = await serve(t, () => {});
    server.close();
    await once(server, 'close');

    await rejects(send({ method: 'GET', url, signal: NEVER }), {
      code: 'UNAVAILABLE',
      message: `GET http://${url.host}/x?y=***: connection refused`,
      details: { reason: 'ECONNREFUSED' },
    });
  });

  it('says when the answer to a question does not begin in time, but waits for that to a body', async (t) => {
    const answers: ServerResponse[] = [];
    const { send, url } = await serve(t, (_, response) => void answers.push(response), 100);

    await rejects(send({ method: 'HEAD', url, signal: NEVER }), {
      code: 'UNAVAILABLE',
      message: `HEAD http://${url.host}/x?y=***: no answer in time`,
    });
    const put = send({ method: 'PUT', url, body: Buffer.from('x'), signal: NEVER });
    setTimeout(() => answers.at(-1)?.end(), 400);
    equal((await put).status, 200);
  });

  it('says when the connection is closed before the answer', async (t) => {
    const { send, url } = await serve(t, ({ socket }) => socket.destroy());

    await rejects(send({ method: 'GET', url, signal: NEVER }), { code: 'UNAVAILABLE' });
  });
});

describe('a streamed body', () => {
  /** A body that brings `bytes`, then fails or ends short of what it promised. */
  function broken(error: Error | undefined) {
    async function* give(): AsyncGenerator<Buffer, void, void> {
      yield Buffer.from('abc');
      await new Promise(setImmediate);
      if (error !== undefined) throw error;
    }
    const stream = Readable.from(give(), { objectMode: false });
    return { stream, body: { size: 6, open: async () => stream } };
  }

  const failures = [new RegistrySyncError('CONTENT_MISMATCH', 'damaged'), undefined];
  for (const failure of failures) {
    it(`is never whole for the server when it ${failure ? 'fails' : 'ends early'}`, async (t) => {
      let seen: (how: string) => void;
      const ended = new Promise<string>((resolve) => (seen = resolve));
      const { send, url } = await serve(t, (request, response) => {
        request
          .on('end', () => seen('whole'))
          .on('aborted', () => seen('aborted'))
          .resume();
        request.on('end', () => response.end());
      });
      const { stream, body } = broken(failure);

      const sent = send({ method: 'PUT', url, body, signal: NEVER });

      await rejects(sent, { code: failure?.code ?? 'UNAVAILABLE' });
      equal(await ended, 'aborted');
      equal(stream.destroyed, true);
    });
  }
});

describe('the stream of a body', () => {
  it('is closed when the server answers before it has read it', async (t) => {
    const { send, url } = await serve(t, (_, response) => response.writeHead(413).end('no'));
    const stream = Readable.from(endless(), { objectMode: false });
    const closed = once(stream, 'close').catch(() => {});

    const sent = send({
      method: 'PUT',
      url,
      body: { size: 1e9, open: async () => stream },
      signal: NEVER,
    });
    await sent.then(discard, () => undefined);
    await closed;

    equal(stream.destroyed, true);
  });

  it('is closed when the request can not be made', async (t) => {
    const { send, url } = await serve(t, () => {});
    const stream = Readable.from(endless(), { objectMode: false });
    const body = { size: 1e9, open: async () => stream };

    await rejects(send({ method: 'PUT', url, headers: { x: 'a\nb' }, body, signal: NEVER }));

    equal(stream.destroyed, true);
  });

  it('is closed by an abort', async (t) => {
    const aborting = new AbortController();
    const { send, url } = await serve(t, () => aborting.abort());
    const stream = Readable.from(endless(), { objectMode: false });
    const body = { size: 1e9, open: async () => stream };

    await rejects(send({ method: 'PUT', url, body, signal: aborting.signal }), {
      code: 'CANCELLED',
    });

    equal(stream.destroyed, true);
  });

  it('that can not be opened fails as it says', async (t) => {
    const { send, url, state } = await serve(t, () => {});
    const gone = new RegistrySyncError('NOT_FOUND', 'gone');
    const body = { size: 1, open: async () => Promise.reject(gone) };

    await rejects(send({ method: 'PUT', url, body, signal: NEVER }), (error) => error === gone);

    equal(state.sockets, 0);
  });
});

async function* endless(): AsyncGenerator<Buffer, void, void> {
  for (;;) {
    yield Buffer.alloc(16 * 1024);
    await new Promise(setImmediate);
  }
}

describe('readBody', () => {
  const read = (chunks: string[], maxBytes: number) =>
    readBody(
      responseOf(Readable.from(chunks.map((chunk) => Buffer.from(chunk)))),
      maxBytes,
      'list',
    );

  it('reads up to its limit, and no byte more', async () => {
    equal(String(await read(['ab', 'cd'], 4)), 'abcd');
    equal(String(await read(['abcd'], 4)), 'abcd');
    equal(String(await read([], 0)), '');
    await rejects(read(['ab', 'cde'], 4), {
      code: 'PROTOCOL',
      message: 'list is longer than 4 bytes',
    });
  });

  it('closes what it will not read', async () => {
    const body = Readable.from(endless());

    await rejects(readBody(responseOf(body), 20_000, 'list'), { code: 'PROTOCOL' });

    equal(body.destroyed, true);
  });

  it('tells a broken connection from a bug', async () => {
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    const bug = new TypeError('bug');
    const failing = (error: Error) =>
      readBody(
        responseOf(
          new Readable({
            read() {
              this.destroy(error);
            },
          }),
        ),
        9,
        'list',
      );

    await rejects(failing(reset), { code: 'UNAVAILABLE', message: 'list: connection reset' });
    await rejects(failing(bug), (error) => error === bug);
  });
});

describe('discard', () => {
  it('reads a short body to its end', async () => {
    const body = Readable.from([Buffer.alloc(1000), Buffer.alloc(1000)]);

    await discard(responseOf(body));

    equal(body.readableEnded, true);
  });

  it('gives up a long one', async () => {
    const body = Readable.from(endless());

    await discard(responseOf(body));

    equal(body.destroyed, true);
  });

  it('gives up one that trickles', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const body = new Readable({ read() {} });
    body.push('a little');

    const discarding = discard(responseOf(body));
    t.mock.timers.tick(4999);
    const wasDestroyed = body.destroyed;
    t.mock.timers.tick(1);
    await discarding;

    deepEqual([wasDestroyed, body.destroyed], [false, true]);
  });

  it('does not mind a broken one', async () => {
    const body = new Readable({
      read() {
        this.destroy(new Error('broken'));
      },
    });

    await discard(responseOf(body));

    equal(body.destroyed, true);
  });
});

describe('compose', () => {
  it('puts the first policy outermost', async () => {
    const order: string[] = [];
    const noting =
      (name: string): Wrap =>
      (send) =>
      async (request) => {
        order.push(name);
        return send(request);
      };
    const send: Send = async () => responseOf(Readable.from([]));

    await compose(
      send,
      noting('a'),
      noting('b'),
    )({ method: 'GET', url: new URL('http://r.test'), signal: NEVER });

    deepEqual(order, ['a', 'b']);
  });
});

describe('asHttpError', () => {
  it('describes what it knows, and quotes what it does not', () => {
    const messages = [
      ['ENOTFOUND', 'x'],
      ['EWEIRD', 'said so'],
      ['EWEIRD', ''],
    ].map(([code, text]) => {
      const error = asHttpError(Object.assign(new Error(text), { code }), 'GET r');
      ok(error instanceof RegistrySyncError);
      return error.message;
    });

    deepEqual(messages, ['GET r: host name not found', 'GET r: said so', 'GET r: EWEIRD']);
  });
});
