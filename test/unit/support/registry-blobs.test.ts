import { deepEqual, equal, notEqual, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { ask, errorsOf, locationOf, pushBlob } from '../../support/registry/requests.ts';
import { digestOf } from '../../support/registry/store.ts';

const BLOB = Buffer.from('0123456789');
const BLOB_DIGEST = digestOf(BLOB);

const started: Registry[] = [];
after(() => Promise.all(started.map((registry) => registry.close())));

async function start(options?: RegistryOptions): Promise<Registry> {
  const registry = await startRegistry(options);
  started.push(registry);
  return registry;
}

describe('blobs', () => {
  it('shows a blob after a good PUT, in its own repository', async () => {
    const registry = await start();

    const put = await pushBlob(registry, 'a', BLOB);

    equal(put.status, 201);
    equal(locationOf(put), `/v2/a/blobs/${BLOB_DIGEST}`);
    equal(await (await ask(registry, `/v2/a/blobs/${BLOB_DIGEST}`)).text(), BLOB.toString());
    equal((await ask(registry, `/v2/b/blobs/${BLOB_DIGEST}`)).status, 404);
    equal(registry.pendingUploads(), 0);
    deepEqual(
      registry.requests
        .map(({ method, status, bytesIn, bytesOut }) => [method, status, bytesIn, bytesOut])
        .slice(0, 4),
      [
        ['POST', 202, 0, 0],
        ['PATCH', 202, 10, 0],
        ['PUT', 201, 0, 0],
        ['GET', 200, 0, 10],
      ],
    );
  });

  it('mounts, or declines, or refuses', async () => {
    for (const [mount, from, status] of [
      ['works', 'a', 201],
      ['works', 'none', 202],
      ['declined', 'a', 202],
      [405, 'a', 405],
    ] as const) {
      const registry = await start({ mount });
      await pushBlob(registry, 'a', BLOB);
      const path = `/v2/b/blobs/uploads/?mount=${BLOB_DIGEST}&from=${from}`;

      equal((await ask(registry, path, { method: 'POST' })).status, status);
      const isThere = (await ask(registry, `/v2/b/blobs/${BLOB_DIGEST}`)).status === 200;
      equal(isThere, status === 201);
    }
  });
});

describe('a trusting registry', () => {
  it('takes anything for what it is said to be, when it is trusting', async () => {
    const registry = await start({ trusting: true });
    const begun = await ask(registry, '/v2/a/blobs/uploads/', { method: 'POST' });
    const put = `${locationOf(begun)}&digest=${digestOf('something else')}`;
    const body = new Uint8Array(BLOB);

    equal((await ask(registry, put, { method: 'PUT', body })).status, 201);
    deepEqual(registry.store.blobs.get(digestOf('something else')), BLOB);
  });
});

describe('downloads', () => {
  it('gives ranges', async () => {
    const registry = await start();
    await pushBlob(registry, 'a', BLOB);
    const range = async (text: string): Promise<[number, string, string | null]> => {
      const part = await ask(registry, `/v2/a/blobs/${BLOB_DIGEST}`, { headers: { range: text } });
      return [part.status, await part.text(), part.headers.get('content-range')];
    };

    deepEqual(await range('bytes=2-3'), [206, '23', 'bytes 2-3/10']);
    deepEqual(await range('bytes=8-'), [206, '89', 'bytes 8-9/10']);
    deepEqual(await range('bytes=-3'), [206, '789', 'bytes 7-9/10']);
    deepEqual(await range('bytes=10-'), [416, '', 'bytes */10']);
    equal((await range('bytes=0-1,3-4'))[0], 200);
  });

  it('redirects to an origin that wants no Authorization', async () => {
    const registry = await start({ redirectBlobs: true });
    await pushBlob(registry, 'a', BLOB);
    const redirect = await ask(registry, `/v2/a/blobs/${BLOB_DIGEST}`);
    const target = locationOf(redirect);
    const head = await ask(registry, `/v2/a/blobs/${BLOB_DIGEST}`, { method: 'HEAD' });

    equal(redirect.status, 307);
    equal(head.status, 200);
    notEqual(new URL(target).origin, registry.url.origin);
    equal(await (await fetch(target, { headers: { range: 'bytes=9-' } })).text(), '9');
    equal((await fetch(target, { headers: { authorization: 'Bearer x' } })).status, 400);
    deepEqual(
      registry.storageRequests.map(({ status }) => status),
      [206, 400],
    );
  });
});

describe('uploads', () => {
  it('takes an upload in chunks, of which only the latest Location goes on', async () => {
    const registry = await start();
    const patch = (to: Response, from: number, body: string): Promise<Response> => {
      const headers = { 'content-range': `${from}-${from + body.length - 1}` };
      return ask(registry, locationOf(to), { method: 'PATCH', headers, body });
    };

    const begun = await ask(registry, '/v2/a/blobs/uploads/', { method: 'POST' });
    const sent = await patch(begun, 0, '01234');

    equal(sent.headers.get('range'), '0-4');
    notEqual(locationOf(sent), locationOf(begun));
    equal((await patch(begun, 5, '5678')).status, 400);
    equal((await patch(sent, 6, '678')).status, 416);
    const status = await ask(registry, locationOf(begun));
    deepEqual([status.status, status.headers.get('range')], [204, '0-4']);
    const last = `${locationOf(status)}&digest=${BLOB_DIGEST}`;
    equal((await ask(registry, last, { method: 'PUT', body: '56789' })).status, 201);
  });

  it('refuses bytes of another digest, and forgets them', async () => {
    const registry = await start();
    const begun = await ask(registry, '/v2/a/blobs/uploads/', { method: 'POST' });

    const put = `${locationOf(begun)}&digest=${BLOB_DIGEST}`;
    const refused = await ask(registry, put, { method: 'PUT', body: 'other' });

    equal(refused.status, 400);
    equal((await errorsOf(refused))[0]?.code, 'DIGEST_INVALID');
    equal((await ask(registry, `/v2/a/blobs/${BLOB_DIGEST}`)).status, 404);
    equal((await ask(registry, locationOf(begun))).status, 404);
  });

  it('keeps what came before the client broke off', async () => {
    const registry = await start();
    const begun = await ask(registry, '/v2/a/blobs/uploads/', { method: 'POST' });
    const abort = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array, void, void> {
      yield new Uint8Array(BLOB);
      await once(abort.signal, 'abort');
    }
    const init = { method: 'PATCH', body: endless(), duplex: 'half', signal: abort.signal };

    const patch = ask(registry, locationOf(begun), init as unknown as RequestInit);
    while (registry.requests.at(-1)?.bytesIn !== BLOB.length) await setImmediate();
    abort.abort();

    await rejects(patch, { name: 'AbortError' });
    const status = await ask(registry, locationOf(begun));
    equal(status.headers.get('range'), '0-9');
    const put = `${locationOf(status)}&digest=${BLOB_DIGEST}`;
    equal((await ask(registry, put, { method: 'PUT' })).status, 201);
  });

  it('cancels an upload', async () => {
    const registry = await start();
    const begun = await ask(registry, '/v2/a/blobs/uploads/', { method: 'POST' });

    equal((await ask(registry, locationOf(begun), { method: 'DELETE' })).status, 204);
    equal(registry.pendingUploads(), 0);
  });
});
