import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import type { Descriptor } from '../../../src/image/descriptor.ts';
import type { ImageSource } from '../../../src/image/source-and-sink.ts';
import { listArchive } from '../../../src/store/docker-archive-source.ts';
import { parseLocation, type StoreLocation } from '../../../src/store/location.ts';
import { openStoreSource } from '../../../src/store/open.ts';
import { streamOf } from '../../support/blob-bytes.ts';
import { collect } from '../../support/collect.ts';
import {
  archivedImage,
  archiveEntries,
  blobName,
  directoryName,
  hexOf,
  partsOf,
  plainName,
  type TaggedImage,
} from '../../support/docker-archive.ts';
import type { BuiltImage } from '../../support/images.ts';
import { tarOf, type TarBytesEntry } from '../../support/tar-bytes.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { storedZstd } from '../../support/zstd-bytes.ts';

const { signal } = new AbortController();
const ONE = archivedImage({ seed: 'one' });
const OTHER = archivedImage({ seed: 'other' });
const TWO: TaggedImage[] = [
  { image: ONE, tags: ['one:1', 'registry.test/a/one:2'] },
  { image: OTHER, tags: null },
];

type Work<T> = (source: ImageSource) => Promise<T>;

/** Opens an archive of these bytes; afterwards nothing is left of what was made for it. */
async function withArchive<T>(bytes: Buffer, which: string, work: Work<T>): Promise<T> {
  await using dir = await tempDir();
  const tmpdir = join(dir.path, 'tmp');
  await mkdir(tmpdir);
  const path = join(dir.path, 'images.tar');
  await writeFile(path, bytes);
  const location = parseLocation(`docker-archive:${path}${which}`) as StoreLocation;
  try {
    await using source = await openStoreSource(location, { tmpdir, env: {} }, signal);
    return await work(source);
  } finally {
    deepEqual(await readdir(tmpdir), []);
  }
}

const rootOf: Work<Buffer> = async (source) =>
  Buffer.from((await source.manifest('root', signal)).bytes);

/** All that an archive holds, read through the source. */
async function equalsImage(source: ImageSource, image: BuiltImage): Promise<void> {
  deepEqual(await rootOf(source), image.root.bytes);
  const { manifest } = await source.manifest('root', signal);
  if (manifest.kind === 'index') throw new Error('is an index');
  const { config, layers } = partsOf(image);
  for (const [at, blob] of [config, ...layers].entries()) {
    const target: Descriptor | undefined = at === 0 ? manifest.config : manifest.layers[at - 1];
    if (target === undefined) throw new Error(`no blob ${at}`);
    const chunks: Uint8Array[] = await collect(streamOf(await source.blob(target, signal)));
    deepEqual(Buffer.concat(chunks), blob.bytes);
  }
}

const archive = (entries: readonly TarBytesEntry[]): Buffer => tarOf(entries);
const ONE_ENTRIES = archiveEntries([{ image: ONE, tags: ['one:1'] }]);

const FORMS: [string, Buffer][] = [
  ['as skopeo writes it', archive(ONE_ENTRIES)],
  ['with manifest.json first', archive(ONE_ENTRIES.toReversed())],
  ['with ./ before its names', archive(ONE_ENTRIES.map((e) => ({ ...e, name: `./${e.name}` })))],
  [
    'as Docker before 25 writes it',
    archive(archiveEntries([{ image: ONE, tags: ['one:1'] }], directoryName)),
  ],
  [
    'as Docker since 25 writes it',
    archive([
      { name: 'blobs/', type: 'directory' },
      ...archiveEntries([{ image: ONE, tags: ['one:1'] }], blobName),
      { name: 'index.json', content: '{}' },
      { name: 'oci-layout', content: '{}' },
    ]),
  ],
  [
    'as go-containerregistry writes it',
    archive(
      archiveEntries([{ image: ONE, tags: ['one:1'] }], (blob) =>
        partsOf(ONE).config === blob ? blob.digest : `${hexOf(blob)}.tar.gz`,
      ).map((entry) =>
        entry.name.endsWith('.gz')
          ? { name: entry.name, content: gzipSync(entry.content ?? '') }
          : entry,
      ),
    ),
  ],
  ['packed with gzip', gzipSync(archive(ONE_ENTRIES))],
  ['packed with zstd', storedZstd(archive(ONE_ENTRIES))],
  [
    'with layers packed inside',
    archive(
      ONE_ENTRIES.map((entry, at) =>
        entry.name.endsWith('.tar')
          ? {
              ...entry,
              content:
                at === 1
                  ? gzipSync(entry.content ?? '')
                  : storedZstd(Buffer.from(entry.content ?? '')),
            }
          : entry,
      ),
    ),
  ],
];

describe('a docker-archive is read', () => {
  for (const [form, bytes] of FORMS) {
    it(form, async () => {
      await withArchive(bytes, '', (source) => equalsImage(source, ONE));
    });
  }

  it('with layers that are links to those of another image', async () => {
    const { config, layers } = partsOf(ONE);
    const manifest = [
      { Config: directoryName(config), RepoTags: [], Layers: ['x/layer.tar', 'y/layer.tar'] },
    ];
    const links = ['x', 'y'].map((id, at) => ({
      name: `${id}/layer.tar`,
      type: at === 0 ? ('symlink' as const) : ('link' as const),
      linkname: `${at === 0 ? '../' : ''}${plainName(layers[at] ?? config)}`,
    }));
    const entries = [
      ...links,
      ...ONE_ENTRIES.slice(0, -1),
      { name: 'manifest.json', content: JSON.stringify(manifest) },
    ];

    await withArchive(archive(entries), '', (source) => equalsImage(source, ONE));
  });

  it('with a layer that is there twice in the image', async () => {
    const [layer] = partsOf(ONE).layers;
    const twice = archivedImage({ layers: layer === undefined ? [] : [layer.bytes, layer.bytes] });

    const bytes = archive(archiveEntries([{ image: twice, tags: null }]));
    await withArchive(bytes, '', (source) => equalsImage(source, twice));
  });

  it('without layers', async () => {
    const empty = archivedImage({ layers: 0 });

    const bytes = archive(archiveEntries([{ image: empty, tags: null }]));
    await withArchive(bytes, '', (source) => equalsImage(source, empty));
  });
});

describe('an image of a docker-archive', () => {
  const bytes = archive(archiveEntries(TWO));

  for (const [which, image] of [
    [':one:1', ONE],
    [':docker.io/library/one:1', ONE],
    [':registry.test/a/one:2', ONE],
    [':@0', ONE],
    [':@1', OTHER],
  ] as const) {
    it(`is chosen by «${which}»`, async () => {
      deepEqual(await withArchive(bytes, which, rootOf), image.root.bytes);
    });
  }

  for (const which of [':one:3', ':one', ':@2']) {
    it(`is NOT_FOUND as «${which}», and what there is is said`, async () => {
      await rejects(withArchive(bytes, which, rootOf), {
        code: 'NOT_FOUND',
        message: 'is not in the archive, which has @0 (one:1, registry.test/a/one:2), @1 (no tag)',
      });
      equal(await withArchive(bytes, which, (source) => source.head(signal)), undefined);
    });
  }

  it('has to be chosen when there are several', async () => {
    await rejects(withArchive(bytes, '', rootOf), {
      code: 'USAGE',
      message: /holds 2 images, of which one is to be chosen: @0 \(one:1, .*@1 \(no tag\)/,
    });
  });

  it('is listed with its tags as they are', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.tar');
    await writeFile(path, gzipSync(bytes));

    deepEqual(await listArchive(path, { tmpdir: dir.path, env: {} }, signal), [
      { index: 0, tags: ['one:1', 'registry.test/a/one:2'] },
      { index: 1, tags: [] },
    ]);
    deepEqual(await readdir(dir.path), ['a.tar']);
  });
});

const MANIFEST = (value: unknown): TarBytesEntry[] => [
  ...ONE_ENTRIES.slice(0, -1),
  { name: 'manifest.json', content: JSON.stringify(value) },
];
const [CONFIG, LAYER] = ONE_ENTRIES;
const NAMES = ONE_ENTRIES.slice(1, 3).map(({ name }) => name);

const changed = (name: string | undefined, change: Partial<TarBytesEntry>): Buffer =>
  archive(ONE_ENTRIES.map((entry) => (entry.name === name ? { ...entry, ...change } : entry)));
const configOf = (diffIds: unknown): string => JSON.stringify({ rootfs: { diff_ids: diffIds } });
const CASES: [string, Buffer, RegExp][] = [
  ['no manifest.json', archive(ONE_ENTRIES.slice(0, -1)), /no manifest\.json/],
  [
    'only an OCI layout',
    archive([{ name: 'oci-layout', content: '{}' }]),
    /read it with oci-archive:/,
  ],
  [
    'a manifest.json of 5 MiB',
    changed('manifest.json', { content: Buffer.alloc(5 * 1024 ** 2) }),
    /5242880 bytes/,
  ],
  ['a manifest.json that is no JSON', changed('manifest.json', { content: '{' }), /no JSON/],
  [
    'a manifest.json that is null',
    changed('manifest.json', { content: 'null' }),
    /lists no images/,
  ],
  [
    'a manifest.json that is a link',
    archive([
      ...ONE_ENTRIES.slice(0, -1),
      { name: 'manifest.json', type: 'symlink', linkname: 'a' },
    ]),
    /is a link/,
  ],
  ['two manifest.json', archive([...ONE_ENTRIES, ...ONE_ENTRIES.slice(-1)]), /more than once/],
  ['an image that is a number', archive(MANIFEST([1])), /@0 .* no Config/],
  [
    'layers that are numbers',
    archive(MANIFEST([{ Config: CONFIG?.name, Layers: [1, 2] }])),
    /no list of names/,
  ],
  [
    'a config outside',
    archive(MANIFEST([{ Config: '../../etc/passwd', Layers: NAMES }])),
    /etc\/passwd/,
  ],
  [
    'a layer outside',
    archive(MANIFEST([{ Config: CONFIG?.name, Layers: ['/etc/passwd', 'x'] }])),
    /etc\/passwd/,
  ],
  [
    'a config that is absent',
    archive(MANIFEST([{ Config: 'absent', Layers: NAMES }])),
    /"absent" is listed/,
  ],
  [
    'a layer that is absent',
    archive(ONE_ENTRIES.filter(({ name }) => name !== NAMES[0])),
    /is listed/,
  ],
  [
    'a layer that is there twice',
    archive([...ONE_ENTRIES, ...(LAYER ? [LAYER] : [])]),
    /more than once/,
  ],
  [
    'fewer layers than its config says',
    archive(MANIFEST([{ Config: CONFIG?.name, Layers: NAMES.slice(1) }])),
    /1 layers in manifest.json, and 2/,
  ],
  ['a config without layers', changed(CONFIG?.name, { content: '{}' }), /no rootfs/],
  [
    'a diff_id that is a path',
    changed(CONFIG?.name, { content: configOf(['sha256:../x', 1]) }),
    /diff_ids\[0\]/,
  ],
  [
    'a config of 5 MiB',
    changed(CONFIG?.name, { content: Buffer.alloc(5 * 1024 ** 2) }),
    /5242880 bytes/,
  ],
  [
    'a damaged layer in gzip',
    changed(NAMES[0], { content: gzipSync('x'.repeat(9999)).subarray(0, 30) }),
    /damaged gzip/,
  ],
  ['gzip that was cut', gzipSync(archive(ONE_ENTRIES)).subarray(0, 2000), /damaged gzip/],
];

describe('a hostile or broken docker-archive', () => {
  for (const [shown, bytes, message] of CASES) {
    it(`is refused with one line: ${shown}`, async () => {
      await rejects(withArchive(bytes, '', rootOf), (error) => {
        const { code, message: said } = error as { code?: string; message: string };
        equal(code, 'PROTOCOL');
        match(said, message);
        match(said, /^docker-archive:[^\n]+$|^\/[^\n]+$/);
        return true;
      });
    });
  }

  it('gives no layer that is not what the config says', async () => {
    const bytes = changed(NAMES[1], { content: partsOf(OTHER).layers[0]?.bytes ?? '' });
    const reading = withArchive(bytes, '', async (source) => {
      const { manifest } = await source.manifest('root', signal);
      const target = manifest.kind === 'image' ? manifest.layers[1] : undefined;
      if (target === undefined) throw new Error('no layer');
      return collect(streamOf(await source.blob(target, signal)));
    });

    await rejects(reading, { code: 'CONTENT_MISMATCH' });
  });

  it('says what to do about xz and bzip2', async () => {
    for (const magic of ['fd377a585a0000', '425a6839']) {
      const bytes = Buffer.concat([Buffer.from(magic, 'hex'), Buffer.alloc(100)]);
      await rejects(withArchive(bytes, '', rootOf), {
        code: 'UNSUPPORTED',
        message: /unpack it first/,
      });
    }
  });

  it('is NOT_FOUND when there is no file, and USAGE when it is a directory', async () => {
    await using dir = await tempDir();
    const open = (path: string): Promise<ImageSource> =>
      openStoreSource({ transport: 'docker-archive', path }, { tmpdir: dir.path, env: {} }, signal);

    await rejects(open(join(dir.path, 'absent.tar')), { code: 'NOT_FOUND' });
    await rejects(open(dir.path), { code: 'USAGE', message: /is a directory/ });
  });
});

it('reads an archive from a pipe', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'pipe');
  equal(spawnSync('mkfifo', [path]).status, 0);
  const writing = writeFile(path, gzipSync(archive(ONE_ENTRIES)));
  const location = { transport: 'docker-archive', path } as const;
  await using source = await openStoreSource(location, { tmpdir: dir.path, env: {} }, signal);
  await writing;

  await equalsImage(source, ONE);
  deepEqual(await readdir(dir.path), ['pipe']);
});

/** What other tools test themselves with; beside the project where it is developed, else absent. */
const FIXTURES = resolve('../shared/fixtures/images');

describe('the docker-archives of other tools', { skip: !existsSync(FIXTURES) }, () => {
  const files: [string, string, string][] = [
    ['go-containerregistry/tarball/hello-world-v25.tar', '', 'ee301c921b8a'],
    [
      'go-containerregistry/tarball/test_image_1.tar',
      ':bazel/v1/tarball:test_image_1',
      '6e0b05049ed9',
    ],
    ['go-containerregistry/tarball/test_bundle.tar', ':@0', '930705ce23e3'],
    ['go-containerregistry/tarball/test_link.tar', ':@1', 'd4c9adacde69'],
    ['container-libs/docker-archive/almostempty.tar', ':emptyimage', '9d7f147c0d0c'],
  ];
  for (const [file, which, id] of files) {
    it(`${file}${which} is read to its last byte`, async () => {
      const bytes = await readFile(join(FIXTURES, file));

      await withArchive(bytes, which, async (source) => {
        const { manifest } = await source.manifest('root', signal);
        if (manifest.kind === 'index') throw new Error('is an index');
        equal(hexOf(manifest.config ?? { digest: '' }).startsWith(id), true);
        for (const layer of manifest.layers) {
          await collect(streamOf(await source.blob(layer, signal)));
        }
      });
    });
  }
});
