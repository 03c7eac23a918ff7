import { deepEqual, equal, rejects } from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';

import { digestOf as ourDigestOf, type Digest } from '../../../src/image/digest.ts';
import type { StoredManifest } from '../../../src/image/manifest.ts';
import { Repository } from '../../../src/registry/repository.ts';
import { clientOver, connectTo, NEVER } from '../../support/client.ts';
import { image, index } from '../../support/images.ts';
import type { FaultEffect } from '../../support/registry/faults.ts';
import { startRegistry } from '../../support/registry/registry.ts';
import { putImage } from '../../support/registry/store.ts';
import { createWire, type WireAnswer } from '../../support/wire.ts';

const BUILT = image();
const OTHER = image({ seed: 'other' });
const DIGEST = BUILT.root.digest as Digest;

const registry = await startRegistry();
const silent = await startRegistry({ omitDigestHeader: true, store: registry.store });
putImage(registry.store, 'a', '1', BUILT);
putImage(registry.store, 'a', 'other', OTHER);
after(() => Promise.all([registry.close(), silent.close()]));
beforeEach(() => {
  registry.setFaults([]);
  registry.resetRequests();
  silent.resetRequests();
});

/** Of the repository `a`, by a new client, met already. */
function open(at = registry): Repository {
  return new Repository(connectTo(at), 'a');
}
const get = (reference: string, digest: Digest | 'root' = 'root'): Promise<StoredManifest> =>
  open().source(reference).manifest(digest, NEVER);
const spoil = (effect: FaultEffect, times = Infinity): void =>
  registry.setFaults([{ match: { path: /manifests/ }, times, effect }]);
const asked = (at = registry): string[] =>
  at.requests.filter(({ path }) => path.includes('manifests')).map(({ method }) => method);

describe('a manifest', () => {
  it('is read by tag and by digest, byte for byte', async () => {
    for (const stored of [await get('1'), await get(DIGEST), await get('1', DIGEST)]) {
      deepEqual(Buffer.from(stored.bytes), BUILT.root.bytes);
      const { mediaType, size } = BUILT.root;
      deepEqual(stored.descriptor, { mediaType, digest: DIGEST, size });
    }
  });

  it('is asked for once by digest, however many need it', async () => {
    const repository = open();
    const one = repository.source('1');

    await Promise.all([one.manifest(DIGEST, NEVER), one.manifest(DIGEST, NEVER)]);
    await repository.source(DIGEST).manifest('root', NEVER);

    deepEqual(asked(), ['GET']);
  });

  it('is asked for with all types at once, or the registry may convert it', async () => {
    await get('1');

    const { accept } = registry.requests.at(-1)?.headers ?? {};
    for (const type of ['oci.image.index', 'oci.image.manifest', 'manifest.list', 'manifest.v2']) {
      equal(accept?.includes(type), true, type);
    }
  });
});

describe('a manifest’s digest', () => {
  for (const said of [DIGEST, OTHER.root.digest]) {
    it(`that is of another manifest is refused, though ${said.slice(0, 12)} is said`, async () => {
      const { mediaType, bytes } = OTHER.root;
      const headers = { 'content-type': mediaType, 'docker-content-digest': said };
      const wire = createWire(({ url }) =>
        url.pathname === '/v2/' ? { status: 200 } : { status: 200, headers, body: bytes },
      );
      const source = new Repository(clientOver(wire.send, 'r.test'), 'a').source(DIGEST);

      await rejects(source.manifest('root', NEVER), { code: 'CONTENT_MISMATCH' });

      equal(wire.requests.length, 3); // damage on the way is given a second chance
    });
  }

  it('that the registry says, and is of another manifest, is refused', async () => {
    spoil({ digestHeader: OTHER.root.digest });

    await rejects(get('1'), { code: 'CONTENT_MISMATCH', message: /not sha256:/ });
  });

  it('that is wrong for damaged bytes makes them be asked for again', async () => {
    spoil({ corrupt: 'last' }, 1);

    const { descriptor } = await get(DIGEST);

    equal(descriptor.digest, DIGEST);
    deepEqual(asked(), ['GET', 'GET']);
  });

  for (const [shown, header] of [
    ['no digest', undefined],
    ['a digest that is none', 'sha256:0'],
  ] as const) {
    it(`is made here when the registry says ${shown}`, async () => {
      if (header !== undefined) spoil({ digestHeader: header });
      const repository = open(header === undefined ? silent : registry);

      const { descriptor } = await repository.source('1').manifest('root', NEVER);

      equal(descriptor.digest, DIGEST);
    });
  }

  it('may be of another algorithm', async () => {
    const digest = ourDigestOf(BUILT.root.bytes, 'sha512');
    const { mediaType, bytes } = BUILT.root;
    registry.store.repositories.get('a')?.manifests.set(digest, { mediaType, bytes });

    equal((await get(digest)).descriptor.digest, digest);
  });
});

// prettier-ignore
/** What it shows, the answer, the code of the refusal. */
const REFUSED: [string, WireAnswer, string][] = [
  ['absent', { status: 404, body: '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}' }, 'NOT_FOUND'],
  ['absent, in HTML (registry.redhat.io)', { status: 404, body: '<html>' }, 'NOT_FOUND'],
  ['absent, with an unknown code (Harbor)', { status: 404, body: '{"errors":[{"code":"UNKNOWN"}]}' }, 'NOT_FOUND'],
  ['absent, in errors that are none', { status: 404, body: '{"errors":[null,1]}' }, 'NOT_FOUND'],
  ['a page of HTML', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }, 'PROTOCOL'],
  ['empty', { status: 200 }, 'PROTOCOL'],
  ['no object', { status: 200, body: '[]' }, 'PROTOCOL'],
  ['longer than 4 MiB', { status: 200, body: Buffer.alloc(4 * 1024 * 1024 + 1, ' ') }, 'PROTOCOL'],
  ['denied', { status: 403 }, 'UNAUTHORIZED'],
  ['refused', { status: 400 }, 'REJECTED'],
  ['not there now', { status: 503 }, 'UNAVAILABLE'],
  ['there too often', { status: 429 }, 'RATE_LIMITED'],
];

describe('a manifest that is', () => {
  for (const [shown, answer, code] of REFUSED) {
    it(`${shown} is ${code}`, async () => {
      const wire = createWire(({ url }) => (url.pathname === '/v2/' ? { status: 200 } : answer));
      const source = new Repository(clientOver(wire.send, 'r.test'), 'a').source('1');

      await rejects(source.manifest('root', NEVER), (error: Error & { code?: string }) => {
        equal(error.code, code);
        return !error.message.includes('<html>');
      });
    });
  }
});

describe('a HEAD', () => {
  it('tells what a tag stands for', async () => {
    const { mediaType, size } = BUILT.root;

    deepEqual(await open().source('1').head(NEVER), { mediaType, digest: DIGEST, size });

    deepEqual(asked(), ['HEAD']);
  });

  it('is followed by a GET when the registry says no digest', async () => {
    const found = await open(silent).source('1').head(NEVER);

    equal(found?.digest, DIGEST);
    deepEqual(asked(silent), ['HEAD', 'GET']);
  });

  it('of what is not there gives nothing', async () => {
    for (const name of ['none', `sha256:${'0'.repeat(64)}`]) {
      equal(await open().source(name).head(NEVER), undefined);
    }
  });

  it('that is denied is a failure of the source, but nothing at the target (Artifactory)', async () => {
    spoil({ status: 403 });

    await rejects(open().source('1').head(NEVER), { code: 'UNAUTHORIZED' });
    equal(await open().sink('1').head(NEVER), undefined);
  });

  it('that fails is no absence', async () => {
    for (const [status, code] of [
      [500, 'UNAVAILABLE'],
      [401, 'UNAUTHORIZED'],
      [400, 'REJECTED'],
    ] as const) {
      spoil({ status });

      await rejects(open().sink('1').head(NEVER), { code });
    }
  });
});

describe('a manifest that is put', () => {
  const list = index([{ image: BUILT }, { image: OTHER }]);
  const stored = async (reference: string): Promise<StoredManifest> => get(reference);

  it('is put as it is, under its tag', async () => {
    const sink = open().sink('copy');

    await sink.putManifest(await stored('1'), 'root', NEVER);

    equal(registry.store.repositories.get('a')?.tags.get('copy'), DIGEST);
    equal(registry.requests.at(-1)?.headers['content-type'], BUILT.root.mediaType);
  });

  it('as a child is put once', async () => {
    const repository = open();
    const child = await stored('1');
    registry.resetRequests();

    for (const tag of ['x', 'y']) await repository.sink(tag).putManifest(child, 'child', NEVER);

    deepEqual(asked(), ['PUT']);
  });

  it('of a selection goes under its own digest, not under the one that was asked for', async () => {
    const selected = await stored('1');
    const before = new Set(registry.store.repositories.get('a')?.manifests.keys());

    await open().sink(list.root.digest).putManifest(selected, 'root', NEVER);

    const { path, status } = registry.requests.at(-1) ?? {};
    deepEqual([path, status], [`/v2/a/manifests/${DIGEST}`, 201]);
    deepEqual(new Set(registry.store.repositories.get('a')?.manifests.keys()), before);
  });

  it('and stored as something else is refused', async () => {
    const child = await stored('1');
    spoil({ digestHeader: list.root.digest });

    await rejects(open().sink('2').putManifest(child, 'root', NEVER), {
      code: 'PROTOCOL',
      message: /stored sha256:.* instead of/,
    });
  });
});
