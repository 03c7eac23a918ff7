import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { LinkedAbort } from '../../../src/base/linked-abort.ts';
import type { Send } from '../../../src/http/send.ts';
import { Repository } from '../../../src/registry/repository.ts';
import { blobDescriptor, clientOver, connectTo, NEVER } from '../../support/client.ts';
import { streamOf } from '../../support/blob-bytes.ts';
import { layer, type BuiltBlob } from '../../support/images.ts';
import type { FaultEffect } from '../../support/registry/faults.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { putBlob } from '../../support/registry/store.ts';
import { serveLoopback } from '../../support/tls.ts';
import { createWire, type WireAnswer } from '../../support/wire.ts';

const MIB = 1024 * 1024;
const BLOB = layer({ layerBytes: 300_000 });
const LARGE = layer({ seed: 'large', layerBytes: 5 * MIB });
const { length } = BLOB.bytes;

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: RegistryOptions = {}): Promise<Registry> {
  const registry = await startRegistry(options);
  for (const blob of [BLOB, LARGE]) putBlob(registry.store, 'a', blob);
  closers.push(() => registry.close());
  return registry;
}

/** Reads a blob of the repository `a` by a new client. */
async function read(registry: Registry, blob: BuiltBlob, signal = NEVER): Promise<Buffer> {
  const source = new Repository(connectTo(registry), 'a').source('1');
  return buffer(streamOf(await source.blob(blobDescriptor(blob), signal)));
}

/** The ranges that were asked for, at the registry or its storage. */
const ranges = (requests: Registry['requests']): (string | undefined)[] =>
  requests.filter(({ path }) => /sha256/.test(path)).map(({ headers }) => headers.range);

const cut = (
  bytes: number,
  times = 1,
): { match: { path: RegExp }; times: number; effect: FaultEffect } => ({
  match: { path: /blobs|storage/ },
  times,
  effect: { cutAfter: bytes },
});

describe('a download', () => {
  it('goes on where the connection was cut', async () => {
    const registry = await start();
    registry.setFaults([cut(100_000)]);

    deepEqual(await read(registry, BLOB), BLOB.bytes);

    deepEqual(ranges(registry.requests), [undefined, 'bytes=100000-']);
  });

  it('goes on after several cuts, and after one before the first byte', async () => {
    const registry = await start();
    registry.setFaults([cut(0), cut(100_000)]);

    deepEqual(await read(registry, BLOB), BLOB.bytes);

    deepEqual(ranges(registry.requests), [undefined, undefined, 'bytes=100000-']);
  });

  it('goes on as long as there is progress, however often it is cut', async () => {
    const registry = await start();
    registry.setFaults([cut(MIB, 4)]); // more often than a request is repeated

    deepEqual(await read(registry, LARGE), LARGE.bytes);

    equal(ranges(registry.requests).length, 5);
  });

  it('ends when there is no progress', async () => {
    const registry = await start();
    registry.setFaults([cut(1000, Infinity)]);

    await rejects(read(registry, BLOB), {
      code: 'UNAVAILABLE',
      details: { reason: 'UND_ERR_SOCKET', side: 'source' },
    });

    equal(ranges(registry.requests).length, 3);
  });

  it('asks the registry again, not the link that may have expired', async () => {
    const registry = await start({ redirectBlobs: true });
    registry.setFaults([{ ...cut(100_000), match: { path: /storage/ } }]);

    deepEqual(await read(registry, BLOB), BLOB.bytes);

    equal(ranges(registry.requests).length, 2);
    deepEqual(ranges(registry.storageRequests), [undefined, 'bytes=100000-']);
  });

  it('fails when the link is refused', async () => {
    const registry = await start({ redirectBlobs: true });
    registry.setFaults([{ match: { path: /storage/ }, effect: { status: 403 } }]);

    await rejects(read(registry, BLOB), { code: 'UNAUTHORIZED' });
  });

  it('fails when there is no such blob', async () => {
    const registry = await start();

    await rejects(read(registry, layer({ seed: 'none' })), {
      code: 'NOT_FOUND',
      message: /^127.0.0.1:\d+\/a:1: blob sha256:/,
    });
  });

  it('can be stopped between two tries', async () => {
    const registry = await start();
    registry.setFaults([cut(1000, Infinity)]);
    using stopped = new LinkedAbort(NEVER);
    const source = new Repository(connectTo(registry, { times: 1000 }), 'a').source('1');
    const stream = streamOf(await source.blob(blobDescriptor(BLOB), stopped.signal));
    stream.once('data', () => stopped.abort(new RegistrySyncError('CANCELLED', 'enough')));

    await rejects(buffer(stream), { code: 'CANCELLED' });

    ok(ranges(registry.requests).length < 10);
  });
});

/** A blob at https://r.test that is cut after `first` bytes; the rest is answered by `rest`. */
function resumed(first: number, rest: (range: string) => WireAnswer): Promise<Buffer> {
  const wire = createWire(({ url, headers }) => {
    if (url.pathname === '/v2/') return { status: 200 };
    if (headers.range !== undefined) return rest(headers.range);
    return { status: 200, body: BLOB.bytes.subarray(0, first) };
  });
  const source = new Repository(clientOver(wire.send, 'r.test'), 'a').source('1');
  return source.blob(blobDescriptor(BLOB), NEVER).then(streamOf).then(buffer);
}

const part = (range: string, from: number): WireAnswer => ({
  status: 206,
  headers: { 'content-range': range },
  body: BLOB.bytes.subarray(from),
});

describe('a resumed download', () => {
  it('takes the part that it asked for', async () => {
    const whole = resumed(1000, () => part(`bytes 1000-${length - 1}/${length}`, 1000));

    deepEqual(await whole, BLOB.bytes);
  });

  it('takes the whole, from a server that ignores Range', async () => {
    deepEqual(await resumed(1000, () => ({ status: 200, body: BLOB.bytes })), BLOB.bytes);
  });

  it('is not shortened by a whole that is cut before the part begins', async () => {
    let asked = 0;
    const whole = resumed(1000, () => {
      asked += 1;
      return { status: 200, body: asked === 1 ? BLOB.bytes.subarray(0, 500) : BLOB.bytes };
    });

    deepEqual(await whole, BLOB.bytes);
  });

  for (const range of ['bytes 999-', 'bytes 10000-299999/300000', 'bytes */300000', '']) {
    it(`refuses another part than it asked for: «${range}»`, async () => {
      await rejects(
        resumed(1000, () => part(range, 1000)),
        { code: 'PROTOCOL' },
      );
    });
  }

  it('refuses a part of something else', async () => {
    const other = { ...part(`bytes 1000-${length - 1}/${length}`, 1000) };

    await rejects(
      resumed(1000, () => ({ ...other, body: Buffer.alloc(length - 1000) })),
      { code: 'CONTENT_MISMATCH' },
    );
  });

  it('refuses more than there is', async () => {
    const rest = Buffer.concat([BLOB.bytes.subarray(1000), Buffer.from('more')]);

    await rejects(
      resumed(1000, () => ({ ...part('bytes 1000-', 0), body: rest })),
      { code: 'CONTENT_MISMATCH' },
    );
  });
});

describe('a connection that breaks behind the last byte', () => {
  it('is no failure, and nothing is asked for again', async () => {
    const asked: string[] = [];
    async function* cutBehind(): AsyncGenerator<Buffer, void, void> {
      yield BLOB.bytes;
      await new Promise(setImmediate);
      throw Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
    }
    const send: Send = async ({ url, headers }) => {
      asked.push(`${url.pathname.replace(/sha256.*/, '')} ${headers?.range ?? ''}`.trim());
      const isBlob = url.pathname.includes('/blobs/');
      if (headers?.range !== undefined)
        return { status: 416, headers: {}, body: Readable.from([]) };
      return { status: 200, headers: {}, body: Readable.from(isBlob ? cutBehind() : []) };
    };
    const source = new Repository(clientOver(send, 'r.test'), 'a').source('1');

    deepEqual(await buffer(streamOf(await source.blob(blobDescriptor(BLOB), NEVER))), BLOB.bytes);

    deepEqual(asked, ['/v2/', '/v2/a/blobs/']);
  });
});

describe('a stream that is destroyed while its source stalls', () => {
  it('is closed at once, with its connection, and nothing more is asked for', async (t) => {
    const blobs: (string | undefined)[] = [];
    let closed: Promise<unknown> | undefined;
    const { host, close } = await serveLoopback((request, response) => {
      if (request.url === '/v2/') return void response.end();
      blobs.push(request.headers.range);
      closed = once(response, 'close');
      response.writeHead(200, { 'content-length': length }).write(BLOB.bytes.subarray(0, 200_000));
    });
    t.after(close);
    const source = new Repository(connectTo({ host }), 'a').source('1');
    const stream = streamOf(await source.blob(blobDescriptor(BLOB), NEVER));
    await once(stream, 'data', { signal: AbortSignal.timeout(2000) });
    await new Promise((resolve) => setTimeout(resolve, 50)); // all that came has been read

    stream.destroy();
    await once(stream, 'close', { signal: AbortSignal.timeout(2000) });
    await closed;
    await new Promise(setImmediate);

    deepEqual(blobs, [undefined]);
  });
});
