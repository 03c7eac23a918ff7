import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';

import { RegistrySyncError } from '../../../src/base/errors.ts';
import { LinkedAbort } from '../../../src/base/linked-abort.ts';
import type { Digest } from '../../../src/image/digest.ts';
import type { BlobOutcome, OpenBlob } from '../../../src/image/source-and-sink.ts';
import { Repository } from '../../../src/registry/repository.ts';
import {
  blobDescriptor,
  clientOver,
  connectTo,
  NEVER,
  opening,
  putInto,
  storedManifest,
} from '../../support/client.ts';
import { streamOf } from '../../support/blob-bytes.ts';
import { image, layer, type BuiltBlob } from '../../support/images.ts';
import type { FaultEffect } from '../../support/registry/faults.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { digestOf, putBlob, putImage } from '../../support/registry/store.ts';
import { createWire } from '../../support/wire.ts';

const SMALL = layer({ seed: 'small' });
const LARGE = layer({ seed: 'large', layerBytes: 4 * 1024 * 1024 });

const closers: (() => Promise<void>)[] = [];
after(() => Promise.all(closers.map((close) => close())));

async function start(options: RegistryOptions = {}): Promise<Registry> {
  const registry = await startRegistry(options);
  closers.push(() => registry.close());
  return registry;
}

/** Puts one blob into the repository `a` by a new client. */
function put(
  registry: Registry,
  blob: BuiltBlob,
  open: OpenBlob = opening(blob),
): Promise<BlobOutcome> {
  const sink = new Repository(connectTo(registry), 'a').sink('1');
  return sink.putBlob(blobDescriptor(blob), open, NEVER);
}

/** The requests for blobs: method, status, what the path ends in. */
function told({ requests }: Registry): string[] {
  return requests
    .filter(({ path }) => path.includes('/blobs/'))
    .map(({ method, status, path }) => {
      const [, repository, , from] = /^\/v2\/(\w+)\/.*(from=)(\w+)/.exec(path) ?? [];
      const isSelf = repository !== undefined && repository === from;
      const what = isSelf ? 'itself' : (/[?&](mount|digest)=/.exec(path)?.[1] ?? '');
      return `${method} ${status} ${what}`.trim();
    });
}

/** Gives the blob, and counts how often. */
function counted(blob: BuiltBlob): { opened: () => number; open: OpenBlob } {
  let opened = 0;
  const open: OpenBlob = () => {
    opened += 1;
    return opening(blob)();
  };
  return { opened: () => opened, open };
}

describe('an upload', () => {
  it('of a small blob is POST and PUT', async () => {
    const registry = await start();

    equal(await put(registry, SMALL), 'copied');

    deepEqual(told(registry), ['HEAD 404', 'POST 202', 'PUT 201 digest', 'POST 201 itself']);
    const { headers } = registry.requests.at(-2) ?? {};
    equal(headers?.['content-length'], String(SMALL.bytes.length));
    deepEqual(registry.store.blobs.get(SMALL.digest), SMALL.bytes);
  });

  it('of a large blob is one PATCH of known length and unsaid range, and an empty PUT', async () => {
    const registry = await start();

    equal(await put(registry, LARGE), 'copied');

    deepEqual(told(registry), ['HEAD 404', 'POST 202', 'PATCH 202', 'PUT 201 digest']);
    const [patch, last] = registry.requests.slice(-2).map(({ headers }) => headers);
    equal(patch?.['content-length'], String(LARGE.bytes.length));
    equal(patch?.['content-range'], undefined);
    equal(patch?.['transfer-encoding'], undefined);
    equal(last?.['content-length'], '0');
    deepEqual(registry.store.blobs.get(LARGE.digest), LARGE.bytes);
  });

  it('is not made of what is there', async () => {
    const registry = await start();
    putBlob(registry.store, 'a', SMALL);

    equal(await put(registry, SMALL, () => Promise.reject(new Error('not needed'))), 'present');

    deepEqual(told(registry), ['HEAD 200', 'POST 201 itself']);
  });

  it('is made of what is there in another size', async () => {
    const registry = await start();
    registry.store.blobs.set(SMALL.digest, Buffer.from('half a blo'));
    putBlob(registry.store, 'a', { digest: SMALL.digest, bytes: Buffer.from('half a blo') });

    equal(await put(registry, SMALL), 'copied');
  });

  for (const status of [401, 403]) {
    it(`is tried where it is not even allowed to look (${status})`, async () => {
      const registry = await start();
      registry.setFaults([{ match: { method: 'HEAD' }, effect: { status } }]);

      equal(await put(registry, SMALL), 'copied');
    });
  }
});

describe('an upload Location', () => {
  it('is only added to, whatever it looks like', async () => {
    for (const [location, expected] of [
      ['/u?_state=a%2Fb%20c&x=|', '/u?_state=a%2Fb%20c&x=|&'],
      ['/u', '/u?'],
      ['https://r.test/u?a=%3D%3D', '/u?a=%3D%3D&'],
      ['x?y=z', '/v2/a/blobs/uploads/x?y=z&'],
    ] as const) {
      const wire = createWire(({ method }) => {
        if (method === 'POST') return { status: 202, headers: { location } };
        return method === 'PUT' ? { status: 201 } : undefined;
      });
      const sink = new Repository(clientOver(wire.send, 'r.test'), 'a').sink('1');

      await sink.putBlob(blobDescriptor(SMALL), opening(SMALL), NEVER);

      const { url } = wire.requests.find(({ method }) => method === 'PUT') ?? {};
      equal(`${url?.pathname}${url?.search}`, `${expected}digest=${SMALL.digest}`);
    }
  });

  it('without a path is beside the one that was asked', async () => {
    const wire = createWire(({ method }) => {
      if (method === 'POST') return { status: 202, headers: { location: '/u/1?_state=a' } };
      if (method === 'PATCH') return { status: 202, headers: { location: '2?_state=b' } };
      return method === 'PUT' ? { status: 201 } : undefined;
    });
    const sink = new Repository(clientOver(wire.send, 'r.test'), 'a').sink('1');

    await sink.putBlob(blobDescriptor(LARGE), opening(LARGE), NEVER);

    const { url } = wire.requests.at(-1) ?? {};
    equal(`${url?.pathname}${url?.search}`, `/u/2?_state=b&digest=${LARGE.digest}`);
  });

  it('that is missing is a breach of the protocol', async () => {
    const registry = await start();
    registry.setFaults([{ match: { method: 'POST' }, effect: { status: 202 } }]);

    await rejects(put(registry, SMALL), { code: 'PROTOCOL' });
  });
});

describe('an upload that breaks', () => {
  for (const [blob, method] of [
    [SMALL, 'PUT'],
    [LARGE, 'PATCH'],
    [LARGE, 'PUT'],
    [SMALL, 'POST'],
  ] as const) {
    for (const effect of [{ reset: true as const }, { status: 500 }, { status: 404 }]) {
      const how = 'status' in effect ? effect.status : 'reset';
      if (method === 'POST' && how === 404) continue; // no such repository
      it(`starts over: ${method} of ${blob.bytes.length} bytes, ${how}`, async () => {
        const registry = await start();
        registry.setFaults([{ match: { method }, effect }]);

        equal(await put(registry, blob), 'copied');

        deepEqual(registry.store.blobs.get(blob.digest), blob.bytes);
      });
    }
  }

  it('is not made again when only the answer was lost', async () => {
    const registry = await start();
    registry.setFaults([{ match: { method: 'PUT' }, effect: { reset: true } }]);
    const { opened, open } = counted(SMALL);

    const outcome = await put(registry, SMALL, () => {
      putBlob(registry.store, 'a', SMALL); // the PUT arrives
      return open();
    });

    equal(outcome, 'copied');
    equal(opened(), 1);
    deepEqual(told(registry).slice(-3), ['PUT 0 digest', 'HEAD 200', 'POST 201 itself']);
  });
});

describe('an upload that can not be made', () => {
  it('because it breaks each time is given up', async () => {
    const registry = await start();
    registry.setFaults([{ match: { method: 'PUT' }, times: Infinity, effect: { reset: true } }]);
    const { opened, open } = counted(SMALL);

    await rejects(put(registry, SMALL, open), { code: 'UNAVAILABLE' });

    equal(opened(), 3); // once, and two times more
  });

  it('because it is refused is not made again', async () => {
    const registry = await start();
    registry.setFaults([{ match: { method: 'PUT' }, times: Infinity, effect: { status: 413 } }]);
    const { opened, open } = counted(SMALL);

    await rejects(put(registry, SMALL, open), { code: 'REJECTED' });

    equal(opened(), 1);
  });

  for (const [status, posts] of [
    [503, 3],
    [404, 1],
  ] as const) {
    it(`because it can not be opened (${status}) is asked for ${posts} times`, async () => {
      const registry = await start();
      registry.setFaults([{ match: { method: 'POST' }, times: Infinity, effect: { status } }]);

      await rejects(put(registry, SMALL), RegistrySyncError);

      equal(told(registry).filter((line) => line === `POST ${status}`).length, posts);
    });
  }

  it('because the registry asks to come back later is not made again', async () => {
    const registry = await start();
    const busy = { status: 503, headers: { 'retry-after': '3600' } };
    registry.setFaults([{ match: { method: 'PUT' }, times: Infinity, effect: busy }]);
    const { opened, open } = counted(SMALL);

    await rejects(put(registry, SMALL, open), { code: 'RATE_LIMITED' });

    equal(opened(), 1);
    deepEqual(told(registry), ['HEAD 404', 'POST 202', 'PUT 503 digest']);
  });

  it('because its token has ended is repeated with a new one, its first stream closed', async () => {
    const registry = await start({
      auth: { scheme: 'bearer', users: {}, anonymous: ['repository:*:*'] },
    });
    const challenge = `Bearer realm="${registry.url.origin}/token",service="registry.test"`;
    const refusal = { status: 401, headers: { 'www-authenticate': challenge } };
    registry.setFaults([{ match: { method: 'PATCH' }, effect: refusal }]);
    const streams: Readable[] = [];

    const outcome = await put(registry, LARGE, async () => {
      ok(streams.every(({ destroyed }) => destroyed)); // else it would keep its permit
      const stream = streamOf(await opening(LARGE)());
      streams.push(stream);
      return stream;
    });

    equal(outcome, 'copied');
    equal(streams.length, 2);
  });
});

describe('a source that breaks', () => {
  it('is not asked again: that was its own affair', async () => {
    const registry = await start();
    const details = { side: 'source' };
    const failure = new RegistrySyncError('UNAVAILABLE', 'storage is down', { details });
    let opened = 0;

    for (const when of ['at once', 'later']) {
      const open: OpenBlob = async () => {
        opened += 1;
        if (when === 'at once') throw failure;
        return Readable.from(
          (async function* () {
            yield SMALL.bytes.subarray(0, 100);
            throw failure;
          })(),
        );
      };
      await rejects(put(registry, SMALL, open), (error) => error === failure);
    }

    equal(opened, 2);
    equal(registry.store.blobs.has(SMALL.digest), false);
  });

  for (const blob of [SMALL, LARGE]) {
    for (const corrupt of ['first', 'last', 'short', 'long'] as const) {
      it(`never brings wrong bytes: ${blob.bytes.length}, ${corrupt}`, async () => {
        const [from, to] = [await start(), await start()];
        putBlob(from.store, 'a', blob);
        const fault = { match: { method: 'GET', path: /blobs/ }, effect: { corrupt } };
        from.setFaults([{ ...fault, times: Infinity }]);
        const source = new Repository(connectTo(from), 'a').source('1');
        const target = blobDescriptor(blob);

        await rejects(
          put(to, blob, () => source.blob(target, NEVER)),
          // A short answer looks like one that broke off.
          { code: corrupt === 'short' ? /UNAVAILABLE|PROTOCOL|REJECTED/ : 'CONTENT_MISMATCH' },
        );

        equal(to.store.blobs.size, 0);
        equal(to.requests.filter(({ status }) => status === 201).length, 0);
      });
    }
  }

  it('with wrong bytes once is asked once more', async () => {
    const [from, to] = [await start(), await start()];
    putBlob(from.store, 'a', SMALL);
    from.setFaults([{ match: { path: /blobs/ }, effect: { corrupt: 'last' } }]);
    const source = new Repository(connectTo(from), 'a').source('1');

    equal(await put(to, SMALL, () => source.blob(blobDescriptor(SMALL), NEVER)), 'copied');
  });
});

describe('a mount', () => {
  it('is made from a repository where a manifest needs the blob', async () => {
    const registry = await start();
    const client = connectTo(registry);
    const built = image();
    await putInto(new Repository(client, 'a').sink('1'), built);
    registry.resetRequests();

    const outcomes = await putInto(new Repository(client, 'b').sink('1'), built);

    deepEqual(new Set(outcomes), new Set(['mounted']));
    deepEqual(new Set(told(registry)), new Set(['POST 201 mount']));
  });

  it('is made from what was only found there', async () => {
    const registry = await start();
    const client = connectTo(registry);
    const built = image();
    putImage(registry.store, 'a', undefined, built);
    await putInto(new Repository(client, 'a').sink('1'), built);

    const outcomes = await putInto(new Repository(client, 'b').sink('1'), built);

    deepEqual(new Set(outcomes), new Set(['mounted']));
  });

  it('that is declined leaves its session, which is used', async () => {
    const registry = await start({ mount: 'declined' });
    const client = connectTo(registry);
    const built = image({ layers: 0 });
    await putInto(new Repository(client, 'a').sink('1'), built);
    registry.resetRequests();

    deepEqual(await putInto(new Repository(client, 'b').sink('1'), built), ['copied']);

    deepEqual(told(registry), ['HEAD 404', 'POST 202 mount', 'PUT 201 digest']);
    equal(registry.pendingUploads(), 0);
  });

  for (const status of [400, 401, 403, 404, 405]) {
    it(`that is answered with ${status} is followed by an upload`, async () => {
      const registry = await start({ mount: status });
      const client = connectTo(registry);
      const built = image({ layers: 0 });
      await putInto(new Repository(client, 'a').sink('1'), built);

      deepEqual(await putInto(new Repository(client, 'b').sink('1'), built), ['copied']);
    });
  }

  it('that breaks is followed by an upload', async () => {
    const registry = await start();
    const client = connectTo(registry);
    const built = image({ layers: 0 });
    await putInto(new Repository(client, 'a').sink('1'), built);
    registry.setFaults([{ match: { path: /mount=/ }, times: Infinity, effect: { reset: true } }]);

    deepEqual(await putInto(new Repository(client, 'b').sink('1'), built), ['copied']);
  });
});

describe('a mount that comes to nothing', () => {
  const built = image({ layers: 0 });
  const [blob] = built.blobs as [BuiltBlob];

  /** A registry that holds the image in `a` and meets the first mount with `effect`. */
  async function mounting(effect: FaultEffect) {
    const registry = await start();
    const client = connectTo(registry);
    await putInto(new Repository(client, 'a').sink('1'), built);
    registry.resetRequests();
    registry.setFaults([{ match: { path: /mount=/ }, effect }]);
    return { registry, client };
  }

  it('as its session has no Location is followed by an upload', async () => {
    const { registry, client } = await mounting({ status: 202 });

    deepEqual(await putInto(new Repository(client, 'b').sink('1'), built), ['copied']);

    deepEqual(told(registry), ['POST 202 mount', 'POST 202', 'PUT 201 digest']);
  });

  it('as its own image was stopped says nothing of mounts', async () => {
    const { registry, client } = await mounting({ stall: true });
    await using sink = new Repository(client, 'b').sink('1');
    using stopped = new LinkedAbort(NEVER);
    const failure = new RegistrySyncError('NOT_FOUND', 'another blob failed');

    const putting = sink.putBlob(blobDescriptor(blob), opening(blob), stopped.signal);
    while (!registry.requests.some(({ path }) => path.includes('mount='))) {
      await new Promise(setImmediate);
    }
    stopped.abort(failure);

    await rejects(putting, (error) => error === failure);
    equal(client.blobs.mountSource(blob.digest as Digest, 'b'), 'a');
  });
});

describe('what the registry lost', () => {
  for (const missingDetail of ['object', 'string'] as const) {
    it(`is brought again after the manifest was refused (${missingDetail})`, async () => {
      const registry = await start({ missingDetail });
      const client = connectTo(registry);
      const built = image({ layers: 1 });
      const [config, lost] = built.blobs as [BuiltBlob, BuiltBlob];
      await using sink = new Repository(client, 'a').sink('1');
      const bring = (): Promise<BlobOutcome[]> =>
        Promise.all(built.blobs.map((b) => sink.putBlob(blobDescriptor(b), opening(b), NEVER)));
      await bring();
      registry.store.repositories.get('a')?.blobs.delete(lost.digest);

      await rejects(
        sink.putManifest(storedManifest(built.root), 'root', NEVER),
        ({ code, details }: RegistrySyncError) =>
          code === 'REJECTED' && details.missing === lost.digest,
      );
      const again = await bring();
      await sink.putManifest(storedManifest(built.root), 'root', NEVER);

      deepEqual(
        again,
        built.blobs.map((b) => (b === config ? 'present' : 'copied')),
      );
      equal(registry.store.repositories.get('a')?.tags.get('1'), digestOf(built.root.bytes));
    });
  }
});
