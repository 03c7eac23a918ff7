/** The copy engine between two emulated registries: what only shows when all its parts work together. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';

import { createTransfers } from '../../../src/copy/run.ts';
import { createCopier, type CopyResult } from '../../../src/copy/copier.ts';
import { ALL } from '../../../src/copy/select.ts';
import { HostPause } from '../../../src/http/host-pause.ts';
import { byKind, Pressure, withPressure } from '../../../src/http/pressure.ts';
import { Traffic } from '../../../src/http/traffic.ts';
import { parseDigest } from '../../../src/image/digest.ts';
import { Repository } from '../../../src/registry/repository.ts';
import { connectTo, NEVER } from '../../support/client.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { artifact, image, index, layer, type BuiltImage } from '../../support/images.ts';
import {
  startRegistry,
  type Registry,
  type RegistryOptions,
} from '../../support/registry/registry.ts';
import { putImage, repositoryOf } from '../../support/registry/store.ts';

const open: Registry[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((registry) => registry.close()));
});

/** A source that may hold anything, a target, and a copier between them. */
async function pair(options: RegistryOptions = {}) {
  const registries = { source: await startRegistry(options), target: await startRegistry(options) };
  open.push(registries.source, registries.target);
  const [from, to] = [connectTo(registries.source), connectTo(registries.target)];
  const copier = createCopier({
    transfers: createTransfers(4, 4),
    selection: ALL,
    referrers: 'copied',
  });
  /** Copies one row: by tag, or by digest. */
  const copy = async (path: string, reference: string): Promise<CopyResult> => {
    const untagged = reference.includes(':');
    const expected = untagged ? { expected: parseDigest(reference) } : {};
    await using sink = new Repository(to, path).sink(reference);
    const source = new Repository(from, path).source(reference);
    return await copier({ source, sink, ...expected, untagged, signal: NEVER });
  };
  return { ...registries, copy };
}

const failOnce = (path: RegExp) => ({ match: { method: 'PUT', path }, effect: { status: 400 } });

/** An index that lists blobs, as BuildKit's registry cache does. */
function cacheOf(...built: BuiltImage[]): BuiltImage {
  const blobs = built.flatMap((one) => one.blobs);
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const manifests = blobs.map(({ mediaType: type, digest, bytes: { length } }) => ({
    mediaType: type,
    digest,
    size: length,
  }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { root: { mediaType, digest, size: bytes.length, bytes }, manifests: [], blobs };
}

describe('rows that need each other’s blobs', () => {
  it('do not wait in a circle, also when an index lists blobs and has something attached', async () => {
    const { source, target, copy } = await pair();
    const [shared] = [layer({ seed: 'shared', layerBytes: 100_000 })];
    const cache = cacheOf(image({ seed: 'cache', layers: [shared] }));
    const other = artifact({ artifactType: 'test/other', payload: shared.bytes });
    const attached = artifact({ artifactType: 'test/attached', subject: cache.root });
    putImage(source.store, 'a', 'cache', cache);
    putImage(source.store, 'a', undefined, attached);
    putImage(source.store, 'b', '1', other);

    const rows = Promise.all([copy('a', 'cache'), copy('b', '1')]);
    const late = new Promise((_, reject) => setTimeout(reject, 5000, new Error('hangs')).unref());
    await Promise.race([rows, late]);

    equal(target.store.repositories.get('a')?.tags.get('cache'), cache.root.digest);
    ok(target.store.repositories.get('a')?.manifests.has(attached.root.digest));
    equal(target.store.repositories.get('b')?.tags.get('1'), other.root.digest);
  });
});

describe('what is attached, after a failure', () => {
  const root = image({ seed: 'root' });
  const sbom = artifact({ artifactType: 'test/sbom', subject: root.root });
  const signature = artifact({ artifactType: 'test/signature', subject: sbom.root });

  it('is brought by the next run, also what is attached to an attachment', async () => {
    const { source, target, copy } = await pair();
    putImage(source.store, 'a', '1', root);
    for (const one of [sbom, signature]) putImage(source.store, 'a', undefined, one);
    target.setFaults([failOnce(new RegExp(`manifests/${signature.root.digest}`))]);

    await rejects(copy('a', '1'), { code: 'REJECTED' });
    equal(target.store.repositories.get('a')?.tags.has('1'), false);
    await copy('a', '1');

    ok(target.store.repositories.get('a')?.manifests.has(signature.root.digest));
  });

  it('is brought by the next run for an image without a tag', async () => {
    const { source, target, copy } = await pair();
    for (const one of [root, sbom]) putImage(source.store, 'a', undefined, one);
    target.setFaults([failOnce(new RegExp(`manifests/${sbom.root.digest}`))]);

    await rejects(copy('a', root.root.digest), { code: 'REJECTED' });
    const { outcome } = await copy('a', root.root.digest);

    equal(outcome, 'copied');
    ok(target.store.repositories.get('a')?.manifests.has(sbom.root.digest));
  });

  it('is left out when only an index that clients keep still lists it', async () => {
    const { source, target, copy } = await pair({ referrersApi: false });
    const gone = artifact({ artifactType: 'test/gone', seed: 'gone', subject: root.root });
    const tag = root.root.digest.replace(':', '-');
    putImage(source.store, 'a', '1', root);
    putImage(source.store, 'a', tag, index([{ image: sbom }, { image: gone }]));
    repositoryOf(source.store, 'a').manifests.delete(gone.root.digest);

    await copy('a', '1');

    const { tags, manifests } = repositoryOf(target.store, 'a');
    equal(tags.get('1'), root.root.digest);
    const list = manifests.get(tags.get(tag) ?? '')?.bytes.toString() ?? '';
    match(list, new RegExp(sbom.root.digest));
    equal(list.includes(gone.root.digest), false);
  });

  it('is looked for in the next repository though one had none', async () => {
    const { source, target, copy } = await pair();
    for (const path of ['a', 'b']) {
      putImage(source.store, path, '1', root);
      putImage(source.store, path, undefined, sbom);
    }
    source.setFaults([{ match: { path: /\/a\/referrers/ }, effect: { status: 404 }, times: 9 }]);

    await copy('a', '1');
    await copy('b', '1');

    deepEqual(
      ['a', 'b'].map((path) => repositoryOf(target.store, path).manifests.has(sbom.root.digest)),
      [false, true],
    );
  });
});

describe('a target that refuses', () => {
  const posts = ({ requests }: Registry): number =>
    requests.filter(({ method }) => method === 'POST').length;

  for (const [status, expected] of [
    [503, 3],
    [404, 1],
    [403, 1],
  ] as const) {
    it(`is asked ${expected} times to open an upload that it answers with ${status}`, async () => {
      const { source, target, copy } = await pair();
      const one = image({ layers: [] });
      putImage(source.store, 'a', '1', one);
      const refusal = { match: { method: 'POST' }, times: 99, effect: { status } };
      target.setFaults([refusal]);

      await rejects(copy('a', '1'));

      equal(posts(target), expected * one.blobs.length);
    });
  }

  it('or is down is met once, not once per row', async () => {
    const { source, target, copy } = await pair();
    for (const tag of ['1', '2', '3']) putImage(source.store, 'a', tag, image({ seed: tag }));
    const down = { match: { path: /^\/v2\/$/ }, times: 99, effect: { status: 503 } };
    target.setFaults([down]);

    const first = await copy('a', '1').catch((error: unknown) => error);
    const before = target.requests.length;
    await rejects(copy('a', '2'), { code: 'UNAVAILABLE' });

    match(String(first), /fails, even after waiting/);
    equal(target.requests.length, before);
  });
});

describe('bytes that come in odd ways', () => {
  it('go to an upload whose Location is relative to its path', async () => {
    const { source, target, copy } = await pair();
    putImage(source.store, 'a', '1', image({ layers: [] }));
    const relative = {
      match: { method: 'POST' },
      effect: { status: 202, headers: { location: 'x?y=z' } },
    };
    target.setFaults([relative]);

    await copy('a', '1').catch(() => {});

    const put = target.requests.find(
      ({ method, path }) => method === 'PUT' && path.includes('/blobs/'),
    );
    match(put?.path ?? '', /^\/v2\/a\/blobs\/uploads\/x\?y=z&digest=sha256:/);
  });
});

describe('large blobs through a host that takes one request at a time', () => {
  it(
    'are all copied: nobody who holds a place at it waits for a permit',
    { timeout: 20_000 },
    async () => {
      const [source, target] = [await startRegistry(), await startRegistry()];
      open.push(source, target);
      const layers = [1, 2, 3, 4, 5].map((n) =>
        layer({ seed: `large ${n}`, layerBytes: 5_000_000 }),
      );
      putImage(source.store, 'a', '1', image({ layers }));
      const clock = new FakeClock();
      const context = { traffic: new Traffic(), pause: new HostPause(clock), isRegistry: true };
      const narrow = byKind(() => withPressure(new Pressure(clock, 1), context));
      const to = new Repository(connectTo(target, { wrap: narrow }), 'a');
      const from = new Repository(connectTo(source), 'a');
      const copy = createCopier({
        transfers: createTransfers(2, 2),
        selection: ALL,
        referrers: 'none',
      });

      await copy({ source: from.source('1'), sink: to.sink('1'), signal: NEVER });

      equal(repositoryOf(target.store, 'a').tags.size, 1);
    },
  );
});
