import { deepEqual, equal } from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import {
  artifact,
  foreignLayer,
  image,
  index,
  layer,
  type BuiltImage,
} from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import {
  ask,
  errorsOf,
  pushBlob,
  pushImage,
  putManifest,
} from '../../support/registry/requests.ts';
import { digestOf, putImage, snapshot } from '../../support/registry/store.ts';

const started: Registry[] = [];
after(() => Promise.all(started.map((registry) => registry.close())));

async function start(options?: RegistryOptions): Promise<Registry> {
  const registry = await startRegistry(options);
  started.push(registry);
  return registry;
}

describe('manifests', () => {
  it('gives back what was put, by tag and by digest', async () => {
    const registry = await start();
    const built = image({ mediaTypes: 'docker' });
    await pushImage(registry, 'a/b', built);
    await putManifest(registry, '/v2/a/b/manifests/1', built.root);

    const byTag = await ask(registry, '/v2/a/b/manifests/1');
    const head = await ask(registry, `/v2/a/b/manifests/${built.root.digest}`, { method: 'HEAD' });

    equal(digestOf(Buffer.from(await byTag.arrayBuffer())), built.root.digest);
    equal(byTag.headers.get('content-type'), built.root.mediaType);
    equal(head.headers.get('docker-content-digest'), built.root.digest);
    equal(head.headers.get('content-length'), String(built.root.size));
    deepEqual(snapshot(registry.store), { 'a/b:1': built.root.digest });
  });

  it('deletes a tag alone, a manifest with its tags', async () => {
    const registry = await start();
    const { root } = image();
    for (const tag of ['1', '2']) putImage(registry.store, 'a', tag, image());

    equal((await ask(registry, '/v2/a/manifests/1', { method: 'DELETE' })).status, 202);
    deepEqual(snapshot(registry.store), { 'a:2': root.digest });
    equal(
      (await ask(registry, `/v2/a/manifests/${root.digest}`, { method: 'DELETE' })).status,
      202,
    );
    deepEqual(snapshot(registry.store), {});
    equal((await ask(registry, '/v2/a/manifests/2', { method: 'DELETE' })).status, 404);
  });
});

describe('a manifest that is put', () => {
  it('names everything that is missing', async () => {
    const built = image({ layers: [layer(), foreignLayer()] });
    const digests = built.blobs.map(({ digest }) => digest);
    for (const missingDetail of ['object', 'string'] as const) {
      const registry = await start({ missingDetail });
      const refused = await putManifest(registry, '/v2/a/manifests/1', built.root);

      equal(refused.status, 400);
      const details = missingDetail === 'string' ? digests : digests.map((digest) => ({ digest }));
      const expected = details.map((detail) => ({ code: 'MANIFEST_BLOB_UNKNOWN', detail }));
      deepEqual(await errorsOf(refused), expected);
    }
  });

  it('wants children before their index', async () => {
    const registry = await start();
    const list = index([{ image: image() }], { attestations: true });
    for (const { bytes } of list.blobs) await pushBlob(registry, 'a', bytes);

    const refused = await putManifest(registry, '/v2/a/manifests/1', list.root);
    await pushImage(registry, 'a', list);

    equal((await errorsOf(refused)).length, 2);
    equal((await putManifest(registry, '/v2/a/manifests/1', list.root)).status, 201);
  });

  it('refuses what is too large, of another digest, or no manifest', async () => {
    const registry = await start();
    const { root } = image();
    const large = { ...root, bytes: Buffer.alloc(4 * 1024 * 1024 + 1) };
    const put = async (reference: string, manifest: BuiltImage['root']): Promise<number> =>
      (await putManifest(registry, `/v2/a/manifests/${reference}`, manifest)).status;

    equal(await put('1', large), 413);
    equal(await put(digestOf('other'), root), 400);
    equal(await put('1', { ...root, bytes: Buffer.from('{}') }), 400);
    equal(await put('1', { ...root, mediaType: 'text/plain' }), 400);
  });
});

describe('referrers', () => {
  it('lists referrers, or knows nothing of them', async () => {
    const subject = image().root;
    const sbom = artifact({ artifactType: 'application/spdx+json', subject });
    const other = artifact({ artifactType: 'text/plain', subject, annotations: { a: 'b' } });
    const registry = await start();
    const old = await start({ referrersApi: false });
    for (const each of [registry, old]) await pushImage(each, 'a', sbom);
    await pushImage(registry, 'a', other);

    const filtered = await ask(
      registry,
      `/v2/a/referrers/${subject.digest}?artifactType=text/plain`,
    );
    const { manifests } = (await filtered.json()) as { manifests: object[] };

    const { mediaType, digest, size } = other.root;
    const descriptor = {
      mediaType,
      digest,
      size,
      artifactType: 'text/plain',
      annotations: { a: 'b' },
    };
    deepEqual(manifests, [descriptor]);
    equal(filtered.headers.get('oci-filters-applied'), 'artifactType');
    equal((await ask(old, `/v2/a/referrers/${subject.digest}`)).status, 404);
    const put = (each: Registry): Promise<Response> =>
      putManifest(each, '/v2/a/manifests/s', sbom.root);
    equal((await put(registry)).headers.get('oci-subject'), subject.digest);
    equal((await put(old)).headers.get('oci-subject'), null);
  });
});
