import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { planCopy, type CopyPlan } from '../../../src/copy/plan.ts';
import { readManifest } from '../../../src/image/manifest.ts';
import { OCI_INDEX } from '../../../src/image/media-types.ts';
import {
  descriptorOf,
  foreignLayer,
  image,
  index,
  layer,
  type BuiltImage,
} from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';

const { signal: NEVER } = new AbortController();

async function plan(built: BuiltImage, repository = new MemoryRepository()): Promise<CopyPlan> {
  const source = repository.hold('v1', built).source('v1');
  return planCopy(source, readManifest(built.root.bytes, built.root.mediaType), NEVER);
}

function digestsOf(level: CopyPlan['children'][number] | undefined): string[] {
  return (level ?? []).map(({ descriptor }) => descriptor.digest);
}

/** Whether every manifest stands behind all that it lists. */
function isOrdered({ children, root }: CopyPlan): boolean {
  const done = new Set<string>();
  for (const level of [...children, [root]]) {
    for (const { manifest } of level) {
      if (
        manifest.kind === 'index' &&
        !manifest.manifests.every(({ digest }) => done.has(digest))
      ) {
        return false;
      }
    }
    for (const { descriptor } of level) done.add(descriptor.digest);
  }
  return true;
}

/** An index of any entries. */
function indexOf(manifests: readonly object[]): BuiltImage {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  const { digest } = readManifest(bytes, OCI_INDEX).descriptor;
  const root = { mediaType: OCI_INDEX, digest, size: bytes.length, bytes };
  return { root, manifests: [], blobs: [] };
}

describe('planCopy', () => {
  it('lists the blobs of an image, the largest first', async () => {
    const small = layer({ seed: 'small', layerBytes: 10 });
    const large = layer({ seed: 'large', layerBytes: 9000 });
    const built = image({ layers: [small, large] });

    const { blobs, children } = await plan(built);

    deepEqual(children, []);
    deepEqual(
      blobs.map(({ size }) => size),
      built.blobs.map(({ bytes }) => bytes.length).toSorted((a, b) => b - a),
    );
    equal(blobs[0]?.digest, large.digest);
  });

  it('reads what several images share once', async () => {
    const shared = layer({ seed: 'shared' });
    const a = image({ seed: 'a', layers: [shared] });
    const b = image({ seed: 'b', layers: [shared] });
    const repository = new MemoryRepository();

    const { blobs } = await plan(index([{ image: a }, { image: b }, { image: a }]), repository);

    equal(blobs.filter(({ digest }) => digest === shared.digest).length, 1);
    equal(blobs.length, 3);
    deepEqual(
      repository.calls,
      [a, b].map(({ root }) => `manifest ${root.digest}`),
    );
  });
});

describe('the order of a plan', () => {
  it('puts a shared image before every index that lists it, however near to the root', async () => {
    const shared = image({ seed: 'shared' });
    const inner = index([{ image: shared }]);
    const middle = index([{ image: inner }, { image: image({ seed: 'x' }) }]);
    const entries = [{ image: shared }, { image: middle }, { image: inner }];

    for (const order of [entries, entries.toReversed()]) {
      const planned = await plan(index(order));

      ok(isOrdered(planned));
      equal(planned.children.flat().length, 4);
    }
  });

  it('puts the images of one height at the same time', async () => {
    const a = image({ seed: 'a' });
    const b = image({ seed: 'b' });

    const { children } = await plan(index([{ image: a }, { image: b }], { attestations: true }));

    equal(children.length, 1);
    equal(digestsOf(children[0]).length, 4);
  });
});

describe('the blobs of a plan', () => {
  it("takes the entries of BuildKit's cache for blobs", async () => {
    const config = {
      ...layer({ seed: 'cache' }),
      mediaType: 'application/vnd.buildkit.cacheconfig.v0',
    };
    const repository = new MemoryRepository();

    const { blobs, children } = await plan(
      indexOf([layer(), config].map(descriptorOf)),
      repository,
    );

    deepEqual(
      blobs.map(({ digest }) => digest as string).toSorted(),
      [config.digest, layer().digest].toSorted(),
    );
    deepEqual([children, repository.calls], [[], []]);
  });

  it('takes the layers of an image for blobs, whatever they contain', async () => {
    const odd = { ...layer(), mediaType: 'application/vnd.oci.image.manifest.v1+json' };

    const { blobs, children } = await plan(image({ layers: [odd] }));

    deepEqual(children, []);
    ok(blobs.some(({ digest }) => digest === odd.digest));
  });

  for (const mediaTypes of ['oci', 'docker'] as const) {
    it(`leaves foreign layers of ${mediaTypes} where they are`, async () => {
      const { blobs } = await plan(image({ layers: [foreignLayer({ mediaTypes }), layer()] }));

      equal(
        blobs.some(({ digest }) => digest === foreignLayer().digest),
        false,
      );
      equal(blobs.length, 2);
    });

    it(`copies foreign layers of ${mediaTypes} that say of no place where they are`, async () => {
      const { urls: _, ...held } = foreignLayer({ mediaTypes });

      const { blobs } = await plan(image({ layers: [held] }));

      ok(blobs.some(({ digest }) => digest === held.digest));
    });
  }

  it('copies layers that could also be had elsewhere, as registries must hold them', async () => {
    const built = image({ layers: [{ ...layer(), urls: ['https://x.test/'] }] });

    const { blobs } = await plan(built);

    ok(blobs.some(({ digest }) => digest === layer().digest));
  });
});

describe('a plan that is refused', () => {
  it('goes six levels deep, and not deeper', async () => {
    let nested = image();
    for (let depth = 0; depth < 5; depth += 1) nested = index([{ image: nested }]);

    equal((await plan(nested)).children.length, 5);
    await rejects(plan(index([{ image: nested }])), { code: 'PROTOCOL', message: /deep/ });
  });

  it('refuses an index of more manifests than a run should be busy with', async () => {
    const child = { ...descriptorOf(image().root) };
    const entries = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => ({
        ...child,
        digest: `sha256:${String(from + at).padStart(64, '0')}`,
      }));
    const inner = (from: number) => indexOf(entries(from, 6000));
    const a = inner(0);
    const b = inner(6000);

    await rejects(plan(index([{ image: a }, { image: b }])), {
      code: 'PROTOCOL',
      message: /more than/,
    });
  });

  it('refuses an index of more bytes of manifests than are to be held, before it reads them', async () => {
    const [a, b] = ['a', 'b'].map((seed) => image({ seed })) as [BuiltImage, BuiltImage];
    const sized = (size: number): BuiltImage => ({
      ...indexOf([
        { ...descriptorOf(a.root), size },
        { ...descriptorOf(b.root), size },
      ]),
      manifests: [a.root, b.root],
    });
    const repository = new MemoryRepository();

    equal((await plan(sized(32 * 1024 * 1024))).children.flat().length, 2);
    await rejects(plan(sized(32 * 1024 * 1024 + 1), repository), {
      code: 'PROTOCOL',
      message: /bytes/,
    });

    deepEqual(repository.calls, []);
  });

  it('fails when a manifest is missing, with no request left under way', async () => {
    const a = image({ seed: 'a' });
    const b = image({ seed: 'b' });
    const repository = new MemoryRepository();
    let ended = 0;
    repository.trouble = async (call) => {
      if (call.includes(a.root.digest)) throw new Error('first');
      await new Promise(setImmediate);
      ended += 1;
    };

    await rejects(plan(index([{ image: a }, { image: b }]), repository), { message: 'first' });

    equal(ended, 1);
  });
});
