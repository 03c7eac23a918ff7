import { deepEqual, equal } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { Repository } from '../../../src/registry/repository.ts';
import { blobDescriptor, connectTo, NEVER, opening, putInto } from '../../support/client.ts';
import { image, layer, type BuiltBlob } from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { putBlob } from '../../support/registry/store.ts';

const FIRST = layer({ seed: 'first' });
const SECOND = layer({ seed: 'second' });
const LARGE = layer({ seed: 'large', layerBytes: 200_000 });

const open: Registry[] = [];
after(() => Promise.all(open.map((registry) => registry.close())));

async function start(options: RegistryOptions = {}) {
  const registry = await startRegistry(options);
  open.push(registry);
  const client = connectTo(registry);
  const put = (path: string, blob: BuiltBlob) =>
    new Repository(client, path).sink('1').putBlob(blobDescriptor(blob), opening(blob), NEVER);
  /** The requests for blobs since the last time, as `METHOD status`. */
  const told = (): string[] => {
    const all = registry.requests.filter(({ path }) => path.includes('/blobs/'));
    registry.resetRequests();
    return all.map(({ method, status }) => `${method} ${status}`);
  };
  return { registry, client, put, told };
}

describe('a registry that links a blob to the repository it is in', () => {
  it('is asked for the next blob and opened an upload in one request', async () => {
    const { put, told } = await start();
    await put('a', FIRST);
    told();

    equal(await put('a', SECOND), 'copied');

    deepEqual(told(), ['POST 202', 'PUT 201']);
  });

  it('is asked once for a blob that is there', async () => {
    const { registry, put, told } = await start();
    await put('a', FIRST);
    putBlob(registry.store, 'a', SECOND);
    told();

    equal(await put('a', SECOND), 'present');

    deepEqual(told(), ['POST 201']);
  });

  it('is learnt with one try, however many blobs are put at once', async () => {
    const { put, told } = await start({ latencyMs: 2 });
    const blobs = Array.from({ length: 20 }, (_, n) => layer({ seed: `blob ${n}` }));

    await Promise.all(blobs.map((blob) => put('a', blob)));

    const asked = told();
    equal(asked.filter((one) => one.startsWith('HEAD')).length, 1);
    equal(asked.filter((one) => one === 'POST 201').length, 1);
  });

  it('is not learnt with a large blob, which the others would have to wait for', async () => {
    const { put, told } = await start();

    await put('a', LARGE);

    deepEqual(told(), ['HEAD 404', 'POST 202', 'PUT 201']);
  });

  it('is learnt from the next blob when the first try fails', async () => {
    const { registry, put, told } = await start();
    registry.setFaults([{ match: { method: 'POST' }, effect: { status: 400 } }]);
    await put('a', FIRST).catch(() => {});
    told();

    equal(await put('a', SECOND), 'copied');

    deepEqual(told(), ['HEAD 404', 'POST 202', 'PUT 201', 'POST 201']);
  });
});

describe('a registry that links nothing', () => {
  it('is asked for each blob, and keeps no upload open', async () => {
    const { registry, put, told } = await start({ mount: 'declined' });
    await put('a', FIRST);
    deepEqual(told(), ['HEAD 404', 'POST 202', 'PUT 201', 'POST 202', 'DELETE 204']);
    putBlob(registry.store, 'a', SECOND);

    equal(await put('a', SECOND), 'present');

    deepEqual(told(), ['HEAD 200']);
    equal(registry.pendingUploads(), 0);
  });
});

describe('a registry that says it links a blob, and does not', () => {
  it('is sent the blob when the manifest is refused', async () => {
    const { client, put, told } = await start();
    await put('a', FIRST);
    const built = image({ seed: 'lied about', layers: 1 });
    for (const { digest } of built.blobs) client.blobs.doubt('a', digest as never);
    told();

    deepEqual(
      new Set(await putInto(new Repository(client, 'a').sink('1'), built)),
      new Set(['copied']),
    );

    equal(
      told().some((one) => one === 'POST 201' || one.startsWith('HEAD')),
      false,
    );
  });
});
