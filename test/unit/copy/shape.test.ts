import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as zlib from 'node:zlib';

import { createCopier } from '../../../src/copy/copier.ts';
import { createTransfers } from '../../../src/copy/run.ts';
import { ALL } from '../../../src/copy/select.ts';
import { changesOf, shaped, type Shape } from '../../../src/copy/shape.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { childrenOf, readManifest, type StoredManifest } from '../../../src/image/manifest.ts';
import { DOCKER_LIST, DOCKER_SCHEMA1_SIGNED, OCI_INDEX } from '../../../src/image/media-types.ts';
import { parsePlatform, type Platform } from '../../../src/image/platform.ts';
import { signedPayload } from '../../../src/image/schema1.ts';
import type { ImageSource } from '../../../src/image/source-and-sink.ts';
import {
  artifact,
  foreignLayer,
  image,
  index,
  layer,
  type BuiltBlob,
  type BuiltImage,
} from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';
import { tempDir } from '../../support/temp-dir.ts';

const { signal } = new AbortController();
const PLATFORMS = ['linux/amd64', 'linux/arm64', 'linux/arm/v6', 'linux/arm/v7', 'windows/amd64'];
const ENTRIES = PLATFORMS.map(parsePlatform).map((platform) => ({
  image: image({ seed: JSON.stringify(platform), platform }),
  platform,
}));
const INDEX = index(ENTRIES, { attestations: true });
const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';

function held(built: BuiltImage): MemoryRepository {
  return new MemoryRepository('from.test/a').hold('v1', built);
}

function shapeOf(asked: Partial<Shape>): Shape {
  return { choice: ALL, preserveDigests: false, tmpdir: '/nonexistent', ...asked };
}

function shapedOf(built: BuiltImage, asked: Partial<Shape>): Promise<ImageSource> {
  return shaped(held(built).source('v1'), shapeOf(asked), signal);
}

/** Shapes an image and copies it, with files in a directory that must be empty in the end. */
async function copied(
  built: BuiltImage | MemoryRepository,
  asked: Partial<Shape>,
): Promise<{
  target: MemoryRepository;
  root: StoredManifest;
  changes: ReadonlyMap<string, string>;
}> {
  await using dir = await tempDir();
  const from = built instanceof MemoryRepository ? built : held(built);
  const target = new MemoryRepository('to.test/b');
  const settings = { transfers: createTransfers(), selection: ALL, referrers: 'copied' } as const;
  const shape = shapeOf({ tmpdir: dir.path, ...asked });
  const source = await shaped(from.source('v1'), shape, signal);
  const changes = changesOf(source);
  await createCopier(settings)({ source, sink: target.sink('v1'), signal });
  await source[Symbol.asyncDispose]();
  deepEqual(await readdir(dir.path), []);
  equal(from.openStreams, 0);
  const root = target.find('v1');
  ok(root);
  return { target, root, changes };
}

function blobOf(mediaType: string, bytes: Buffer): BuiltBlob {
  return { mediaType, digest: digestOf(bytes), bytes };
}

const TAR = zlib.gunzipSync(layer({ seed: 'tar', layerBytes: 300_000 }).bytes);
const PLAIN = blobOf(OCI_LAYER, TAR);
const GZIP = blobOf(`${OCI_LAYER}+gzip`, zlib.gzipSync(TAR));
/** Two frames and one to be skipped, as zstd:chunked has them; of `hello ` and `world`. */
const ZSTD = blobOf(
  `${OCI_LAYER}+zstd`,
  Buffer.from(
    '28b52ffd045831000068656c6c6f20d23be1a9' +
      '502a4d1803000000aabbcc' +
      '28b52ffd0458290000776f726c64ef51ee66',
    'hex',
  ),
);

describe('a shape that changes nothing', () => {
  it('gives the source itself, unread when nothing was asked', async () => {
    const from = held(INDEX);
    const source = from.source('v1');

    equal(await shaped(source, shapeOf({}), signal), source);
    deepEqual(from.calls, []);
  });

  it('gives the source itself when all is as it was asked', async () => {
    const asked: Partial<Shape>[] = [
      { form: 'oci', preserveDigests: true },
      { compression: { format: 'gzip' }, preserveDigests: true },
      { limits: { forms: ['docker', 'oci'], layers: 'compressed', indexes: true } },
      { choice: { kind: 'platforms', platforms: PLATFORMS.map(parsePlatform) } },
    ];
    for (const one of asked) {
      const source = held(INDEX).source('v1');

      const same = await shaped(source, shapeOf(one), signal);

      equal(same, source);
      deepEqual(changesOf(same), new Map());
    }
  });
});

describe('the image for a machine', () => {
  const at = (text: string): Platform => parsePlatform(text);
  const CHOICES: [Platform, number][] = [
    [at('linux/amd64'), 0],
    [at('linux/arm64'), 1],
    [at('linux/arm64/v8'), 1],
    [at('linux/arm/v7'), 3],
    [at('linux/arm/v6'), 2],
    [at('windows/amd64'), 4],
  ];
  for (const [platform, place] of CHOICES) {
    it(`for ${JSON.stringify(platform)} is number ${place}`, async () => {
      const { root } = await copied(INDEX, { choice: { kind: 'system', platform } });

      equal(root.descriptor.digest, ENTRIES[place]?.image.root.digest);
    });
  }

  it('is a lower variant when there is no better one', async () => {
    const some = index(ENTRIES.slice(0, 3));
    const choice = { kind: 'system', platform: at('linux/arm/v7') } as const;

    const { root } = await copied(some, { choice });

    equal(root.descriptor.digest, ENTRIES[2]?.image.root.digest);
  });

  it('is never a higher variant', async () => {
    const choice = { kind: 'system', platform: at('linux/arm/v5') } as const;

    await rejects(shapedOf(INDEX, { choice }), {
      code: 'NOT_FOUND',
      message:
        /no image found in manifest list for architecture arm, variant v5, OS linux: it has linux\/amd64, .*windows\/amd64/,
    });
  });

  it('is of the build of Windows that is asked for', async () => {
    const windows = ['10.0.17763.5', '10.0.20348.9'].map((version) => ({
      image: image({ seed: version }),
      platform: { os: 'windows', architecture: 'amd64', 'os.version': version },
    }));
    const platform = { ...at('windows/amd64'), osVersion: '10.0.20348.1' };

    const { root } = await copied(index(windows), { choice: { kind: 'system', platform } });

    equal(root.descriptor.digest, windows[1]?.image.root.digest);
    const older = { ...platform, osVersion: '10.0.14393' };
    await rejects(shapedOf(index(windows), { choice: { kind: 'system', platform: older } }), {
      code: 'NOT_FOUND',
      message: /10\.0\.17763\.5/,
    });
  });

  it('is found in an index of an index, and is an image that is alone', async () => {
    const nested = index([{ image: index(ENTRIES), platform: at('linux/arm64') }]);
    const choice = { kind: 'system', platform: at('linux/arm64') } as const;

    equal((await copied(nested, { choice })).root.descriptor.digest, ENTRIES[1]?.image.root.digest);
    const alone = image();
    equal((await copied(alone, { choice })).root.descriptor.digest, alone.root.digest);
  });

  it('may be chosen with its digest', async () => {
    const choice = { kind: 'system', platform: at('linux/amd64') } as const;

    const { root } = await copied(INDEX, { choice, preserveDigests: true });

    equal(root.descriptor.digest, ENTRIES[0]?.image.root.digest);
  });
});

describe('an index alone', () => {
  const choice = { kind: 'index-only' } as const;

  it('brings nothing but itself, byte for byte', async () => {
    const from = held(INDEX);
    const puts: string[] = [];
    const source = await shaped(from.source('v1'), shapeOf({ choice }), signal);
    const settings = { transfers: createTransfers(), selection: ALL, referrers: 'none' } as const;
    const target = new MemoryRepository();
    target.trouble = (call) => void puts.push(call.replace(/ .*/, ''));
    await createCopier(settings)({ source, sink: target.sink('v1'), signal });

    deepEqual(puts, ['head', 'root']);
    deepEqual(Buffer.from(target.find('v1')?.bytes ?? []), INDEX.root.bytes);
    deepEqual(
      from.calls.filter((call) => /^(manifest|blob)/.test(call)),
      ['manifest v1'],
    );
  });

  it('can not be converted', async () => {
    await rejects(shapedOf(INDEX, { choice, form: 'docker' }), { code: 'UNSUPPORTED' });
  });
});

describe('some platforms', () => {
  const choice = { kind: 'platforms', platforms: [parsePlatform('linux/arm64')] } as const;

  it('are an index of them, with what is attached to them', async () => {
    const from = held(INDEX);
    const [, arm64] = ENTRIES;
    ok(arm64);
    from.hold(undefined, artifact({ artifactType: 'a/b', subject: arm64.image.root }));

    const { root, target } = await copied(from, { choice });

    equal(childrenOf(root.manifest).length, 2); // and its attestation
    equal(target.referrers.size, 1);
  });

  it('have no digest to keep', async () => {
    await rejects(shapedOf(INDEX, { choice, preserveDigests: true }), {
      code: 'UNSUPPORTED',
      message: /can't be copied with its digests: the index would be written anew/,
    });
  });
});

const images = index(ENTRIES);

describe('another form', () => {
  it('is that of an index and of all its images', async () => {
    const { root, target, changes } = await copied(images, { form: 'docker' });

    equal(root.descriptor.mediaType, DOCKER_LIST);
    const children = childrenOf(root.manifest);
    deepEqual(
      children.map(({ digest }) => digest),
      ENTRIES.map(({ image: { root: child } }) => changes.get(child.digest)),
    );
    for (const { digest, size } of children) {
      equal(target.find(digest)?.bytes.byteLength, size);
    }
    deepEqual(
      children.map(({ platform }) => platform),
      ENTRIES.map(({ platform }) => platform),
    );
    equal(changes.get(images.root.digest), root.descriptor.digest);
  });

  it('comes to the same bytes by way of another', async () => {
    const there = await copied(images, { form: 'docker' });
    const back = await copied(there.target, { form: 'oci' });
    const again = await copied(back.target, { form: 'docker' });

    equal(
      again.root.descriptor.digest,
      (await copied(back.target, { form: 'docker' })).root.descriptor.digest,
    );
    deepEqual(Buffer.from(again.root.bytes).length, Buffer.from(there.root.bytes).length);
    equal(back.root.descriptor.mediaType, OCI_INDEX);
  });

  it('is the first that the target can hold', async () => {
    const { root } = await copied(image(), { limits: { forms: ['docker'] } });
    equal(root.descriptor.mediaType, 'application/vnd.docker.distribution.manifest.v2+json');

    await rejects(shapedOf(image(), { form: 'oci', limits: { forms: ['docker'] } }), {
      code: 'UNSUPPORTED',
      message: /can't hold images of the form oci, only docker/,
    });
  });

  it('is refused for an index where only one image can be held', async () => {
    await rejects(shapedOf(INDEX, { limits: { indexes: false } }), { code: 'UNSUPPORTED' });
  });
});

describe('another form that is asked for', () => {
  it('is refused for attestations, which it has no words for', async () => {
    await rejects(shapedOf(INDEX, { form: 'docker' }), {
      code: 'UNSUPPORTED',
      message: /from\.test\/a:v1: .*in-toto/,
    });
  });

  it('is refused with its digests, before anything is read of the layers', async () => {
    const from = held(images);

    await rejects(
      shaped(from.source('v1'), shapeOf({ form: 'docker', preserveDigests: true }), signal),
      {
        code: 'UNSUPPORTED',
        message: /is of the form oci and would become docker \(and 5 more\)/,
      },
    );
    ok(!from.calls.some((call) => call.startsWith('blob')));
  });

  it('is schema 1 and back, with the digests of the tars found again', async () => {
    const built = image({ mediaTypes: 'docker', layers: 3 });

    const there = await copied(built, { form: 'schema1', name: { path: 'a/b', tag: 'v1' } });
    const back = await copied(there.target, { form: 'docker' });

    equal(there.root.descriptor.mediaType, DOCKER_SCHEMA1_SIGNED);
    ok(signedPayload(there.root.bytes));
    const { manifest } = back.root;
    const given = readManifest(built.root.bytes, built.root.mediaType).manifest;
    ok(manifest.kind === 'image' && given.kind === 'image');
    deepEqual(manifest.layers, given.layers);
    const configOf = (from: MemoryRepository, digest = ''): { rootfs: object } =>
      JSON.parse(Buffer.from(from.blobs.get(digest) ?? []).toString()) as { rootfs: object };
    deepEqual(
      configOf(back.target, manifest.config?.digest).rootfs,
      configOf(held(built), given.config?.digest).rootfs,
    );
  });

  it('is not asked of schema 1, which is copied as it is', async () => {
    const there = await copied(image(), { form: 'schema1' });

    const { root } = await copied(there.target, {});

    deepEqual(root.bytes, there.root.bytes);
  });
});

const both = image({ layers: [PLAIN, GZIP] });

async function layersOf(built: BuiltImage, asked: Partial<Shape>) {
  const { target, root, changes } = await copied(built, asked);
  const { manifest } = root;
  ok(manifest.kind === 'image');
  const layers = manifest.layers.map(({ mediaType, digest, size }) => {
    const bytes = Buffer.from(target.blobs.get(digest) ?? []);
    equal(bytes.length, size);
    equal(digestOf(bytes), digest);
    return { mediaType, bytes, digest };
  });
  return { layers, manifest, changes };
}

describe('layers', () => {
  it('become plain', async () => {
    const { layers, manifest, changes } = await layersOf(both, {
      compression: { format: 'plain' },
    });

    deepEqual(
      layers.map(({ mediaType, digest }) => [mediaType, digest]),
      [
        [OCI_LAYER, PLAIN.digest],
        [OCI_LAYER, PLAIN.digest],
      ],
    );
    const given = readManifest(both.root.bytes, both.root.mediaType).manifest;
    equal(manifest.config?.digest, given.kind === 'image' && given.config?.digest);
    equal(changes.get(GZIP.digest), PLAIN.digest);
  });

  it('become gzip, and those that are so stay', async () => {
    const { layers } = await layersOf(both, { compression: { format: 'gzip', level: 9 } });

    deepEqual(
      layers.map(({ mediaType }) => mediaType),
      [`${OCI_LAYER}+gzip`, `${OCI_LAYER}+gzip`],
    );
    deepEqual(zlib.gunzipSync(layers[0]?.bytes ?? Buffer.of()), TAR);
    equal(layers[1]?.digest, GZIP.digest);
  });

  it('are compressed by the level', async () => {
    const text = blobOf(OCI_LAYER, Buffer.from(TAR.toString('hex')));
    const sizes = [1, 9].map(async (level) => {
      const { layers } = await layersOf(image({ layers: [text] }), {
        compression: { format: 'gzip', level },
      });
      return layers[0]?.bytes.length ?? 0;
    });
    const [fast, small] = await Promise.all(sizes);
    ok(fast && small && small < fast, `${small} < ${fast}`);
  });

  it('become what the target can hold', async () => {
    const plain = await layersOf(both, { limits: { layers: 'plain' } });
    const compressed = await layersOf(both, { limits: { layers: 'compressed' } });

    deepEqual(new Set(plain.layers.map(({ mediaType }) => mediaType)), new Set([OCI_LAYER]));
    deepEqual(
      new Set(compressed.layers.map(({ mediaType }) => mediaType)),
      new Set([`${OCI_LAYER}+gzip`]),
    );
  });
});

describe('layers of zstd', () => {
  it('of zstd are read, all frames of them', async () => {
    const { layers } = await layersOf(image({ layers: [ZSTD] }), {
      compression: { format: 'plain' },
    });

    equal(layers[0]?.bytes.toString(), 'hello world');
  });

  it('of zstd become gzip for Docker', async () => {
    const { layers } = await layersOf(image({ layers: [ZSTD] }), {
      form: 'docker',
      compression: { format: 'gzip' },
    });

    equal(layers[0]?.mediaType, 'application/vnd.docker.image.rootfs.diff.tar.gzip');
    equal(zlib.gunzipSync(layers[0]?.bytes ?? Buffer.of()).toString(), 'hello world');
  });

  it('become zstd where Node has it, in the form that has it', async () => {
    const docker = image({
      layers: [{ ...PLAIN, mediaType: 'application/vnd.docker.image.rootfs.diff.tar' }],
      mediaTypes: 'docker',
    });
    const asked = { compression: { format: 'zstd', level: 3 } } as const;
    if (!('createZstdCompress' in zlib)) {
      await rejects(shapedOf(docker, asked), {
        code: 'UNSUPPORTED',
        message: /Node 22\.15 or later/,
      });
      return;
    }
    const { layers } = await layersOf(docker, asked);
    equal(layers[0]?.mediaType, `${OCI_LAYER}+zstd`);
    const back = await layersOf(
      image({ layers: [blobOf(`${OCI_LAYER}+zstd`, layers[0]?.bytes ?? Buffer.of())] }),
      {
        compression: { format: 'plain' },
      },
    );
    deepEqual(back.layers[0]?.bytes, TAR);
  });
});

describe('layers of another kind', () => {
  it('that are not what their type says are read as what they are', async () => {
    const lying = image({
      layers: [{ ...PLAIN, mediaType: `${OCI_LAYER}+gzip` }],
      config: { rootfs: {} },
    });

    const { layers } = await layersOf(lying, { compression: { format: 'plain' } });

    deepEqual([layers[0]?.mediaType, layers[0]?.digest], [OCI_LAYER, PLAIN.digest]);
  });

  it('of others, and the content of artifacts, stay as they are', async () => {
    const compression = { format: 'plain' } as const;
    const foreign = image({ layers: [foreignLayer()] });
    const other = artifact({ artifactType: `${OCI_LAYER}+gzip` });
    for (const built of [foreign, other]) {
      const source = held(built).source('v1');
      equal(await shaped(source, shapeOf({ compression }), signal), source);
    }
  });

  it('that images of an index share are written once', async () => {
    const shared = index(['a', 'b'].map((seed) => ({ image: image({ seed, layers: [GZIP] }) })));
    const from = held(shared);

    await copied(from, { compression: { format: 'plain' } });

    equal(from.calls.filter((call) => call === `blob ${GZIP.digest}`).length, 1);
  });

  it('change attestations’ word of which image they are about', async () => {
    const { root, changes } = await copied(INDEX, { compression: { format: 'plain' } });

    const named = childrenOf(root.manifest).flatMap(
      ({ annotations }) => annotations?.['vnd.docker.reference.digest'] ?? [],
    );
    deepEqual(
      named,
      ENTRIES.map((entry) => changes.get(entry.image.root.digest)),
    );
  });

  it('are refused with their digests', async () => {
    await rejects(shapedOf(both, { compression: { format: 'plain' }, preserveDigests: true }), {
      code: 'UNSUPPORTED',
      message: `source from.test/a:v1: can't be copied with its digests: layer ${GZIP.digest} would become plain`,
    });
  });

  it('are not compressed by a level that there is not', async () => {
    await rejects(shapedOf(both, { compression: { format: 'gzip', level: 10 } }), {
      code: 'USAGE',
      message: /1 to 9/,
    });
  });
});

const DAMAGED: [string, BuiltBlob][] = [
  ['a cut gzip', blobOf(GZIP.mediaType, GZIP.bytes.subarray(0, 9000))],
  ['a wrong gzip', blobOf(GZIP.mediaType, Buffer.concat([GZIP.bytes.subarray(0, 9000), TAR]))],
  [
    'a gzip with something behind it',
    blobOf(GZIP.mediaType, Buffer.concat([GZIP.bytes, Buffer.alloc(200_000, 65)])),
  ],
  ['a cut zstd', blobOf(ZSTD.mediaType, ZSTD.bytes.subarray(0, 12))],
  [
    'a wrong zstd',
    blobOf(ZSTD.mediaType, Buffer.from('28b52ffd0458ffffffffffffffffffffffffffffff', 'hex')),
  ],
  [
    'a zstd with a window of 2 GiB',
    blobOf(ZSTD.mediaType, Buffer.from(`28b52ffd00a8${'00'.repeat(30)}`, 'hex')),
  ],
];

describe('layers that can not be read', () => {
  for (const [name, blob] of DAMAGED) {
    it(`are one clear error that names the layer: ${name}`, async () => {
      await using dir = await tempDir();
      const from = held(image({ layers: [blob], config: { rootfs: {} } }));
      const shape = shapeOf({ tmpdir: dir.path, compression: { format: 'plain' } });

      await rejects(
        shaped(from.source('v1'), shape, signal),
        (error: Error & { code?: string }) => {
          match(error.message, new RegExp(`from.test/a:v1: layer ${blob.digest} is damaged`));
          equal(error.code, 'PROTOCOL');
          return true;
        },
      );
      deepEqual(await readdir(dir.path), []);
      equal(from.openStreams, 0);
    });
  }
});

describe('layers of a source that fails', () => {
  it('are what the source says when it is the source that fails', async () => {
    await using dir = await tempDir();
    const from = held(image({ layers: [GZIP] }));
    from.blobs.set(GZIP.digest, Buffer.concat([GZIP.bytes.subarray(0, -9), Buffer.alloc(9)]));
    const shape = shapeOf({ tmpdir: dir.path, compression: { format: 'plain' } });

    await rejects(shaped(from.source('v1'), shape, signal), { code: 'CONTENT_MISMATCH' });
    deepEqual(await readdir(dir.path), []);
  });

  it('leave nothing behind when it is called off', async () => {
    await using dir = await tempDir();
    const from = held(image({ layers: [GZIP, PLAIN] }));
    const stop = new AbortController();
    from.trouble = (call) => {
      if (call.startsWith('blob')) stop.abort(new Error('enough'));
    };
    const shape = shapeOf({ tmpdir: dir.path, compression: { format: 'plain' } });

    await rejects(shaped(from.source('v1'), shape, stop.signal));
    deepEqual(await readdir(dir.path), []);
    equal(from.openStreams, 0);
  });

  it('end with the directory of the files named when that can not be used', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'file');
    await writeFile(file, '');
    const shape = shapeOf({ tmpdir: file, compression: { format: 'plain' } });

    await rejects(shaped(held(image({ layers: [GZIP] })).source('v1'), shape, signal), {
      code: 'USAGE',
      message: new RegExp(file),
    });
  });
});

describe('a bomb', () => {
  /** Blocks of one byte that is repeated 128 Ki times. */
  const rle = Buffer.concat([
    Buffer.from('28b52ffd0038', 'hex'),
    ...Array.from({ length: 1500 }, () => Buffer.from('02001000', 'hex')),
    Buffer.from('010000', 'hex'),
  ]);
  const bombs: [string, BuiltBlob][] = [
    ['gzip', blobOf(GZIP.mediaType, zlib.gzipSync(Buffer.alloc(200_000_000)))],
    ['zstd', blobOf(ZSTD.mediaType, rle)],
  ];
  for (const [format, bomb] of bombs) {
    it(`of ${format} takes disk, but no memory`, async () => {
      await using dir = await tempDir();
      const from = held(image({ layers: [bomb], config: { rootfs: {} } }));
      const shape = shapeOf({ tmpdir: dir.path, compression: { format: 'plain' } });
      let most = 0;
      const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 10);
      const before = process.memoryUsage.rss();
      try {
        await using source = await shaped(from.source('v1'), shape, signal);
        const root = await source.manifest('root', signal);
        ok((childrenOf(root.manifest)[1]?.size ?? 0) > 190_000_000);
      } finally {
        clearInterval(timer);
      }

      ok(most - before < 100_000_000, `${most - before} more bytes in memory`);
      deepEqual(await readdir(dir.path), []);
    });
  }
});
