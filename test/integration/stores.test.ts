/** `dir:`, `oci:` and `oci-archive:` against the programs whose formats these are. */
import { deepEqual, equal, match } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import type { StoreSettings } from '../../src/store/open.ts';
import { copyImage, openSink, openSource, sourceOf } from '../support/copy-image.ts';
import { dirFiles, writeFiles } from '../support/image-files.ts';
import { image, index, type BuiltImage } from '../support/images.ts';
import { MemoryRepository } from '../support/memory-image.ts';
import { pseudoRandomBytes } from '../support/registry/layer-bytes.ts';
import { rawDigest, skopeo } from '../support/skopeo.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };
const SINGLE = image({ seed: 'single', layerBytes: 300_000 });
const LIST = index([
  { image: SINGLE, platform: AMD64 },
  { image: image({ seed: 'arm', platform: ARM64 }), platform: ARM64 },
]);
const DOCKER = image({ seed: 'docker', mediaTypes: 'docker' });
const IMAGES: readonly [string, BuiltImage][] = [
  ['an image', SINGLE],
  ['an index', LIST],
];
const TRANSPORTS = ['dir', 'oci', 'oci-archive'] as const;

let temp: TempDir;
let settings: StoreSettings;
let number = 0;

before(async () => {
  temp = await tempDir();
  const tmpdir = join(temp.path, 'tmp');
  await mkdir(tmpdir);
  settings = { tmpdir, env: {} };
});
after(async () => await temp[Symbol.asyncDispose]());

/** Where nothing is yet. */
function fresh(transport: string): string {
  number += 1;
  const path = join(temp.path, `${number}`);
  return transport === 'dir' ? `dir:${path}` : `${transport}:${path}:v1`;
}

async function writeByUs(held: BuiltImage, target: string): Promise<void> {
  await copyImage(sourceOf(held), await openSink(target, settings));
}

/** What we read, and put into memory: all digests are checked on the way. */
async function readByUs(source: string): Promise<MemoryRepository> {
  const repository = new MemoryRepository();
  await copyImage(await openSource(source, settings), repository.sink('v1'));
  return repository;
}

async function umoci(...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)('umoci', args, { timeout: 60_000 })).stdout;
}

for (const transport of TRANSPORTS) {
  for (const [what, held] of IMAGES) {
    it(`skopeo reads ${what} that we wrote to ${transport}:, byte for byte`, async () => {
      const ours = fresh(transport);
      const copied = fresh('dir');

      await writeByUs(held, ours);
      await skopeo(['copy', '--all', '--preserve-digests', ours, copied]);

      deepEqual(
        [await rawDigest(ours), await rawDigest(copied)],
        [held.root.digest, held.root.digest],
      );
    });

    it(`we read ${what} that skopeo wrote to ${transport}:, byte for byte`, async () => {
      const [seed, theirs] = [fresh('dir'), fresh(transport)];
      await writeFiles(seed.slice('dir:'.length), dirFiles(held));
      await skopeo(['copy', '--all', '--preserve-digests', seed, theirs]);

      const { tags, blobs } = await readByUs(theirs);

      equal(tags.get('v1'), held.root.digest);
      deepEqual([...blobs.keys()].toSorted(), held.blobs.map(({ digest }) => digest).toSorted());
    });
  }

  it(`leaves nothing in the temporary directory: ${transport}:`, async () => {
    const place = fresh(transport);
    const own = await tempDir();

    await copyImage(sourceOf(LIST), await openSink(place, { ...settings, tmpdir: own.path }));
    const source = await openSource(place, { ...settings, tmpdir: own.path });
    await copyImage(source, new MemoryRepository().sink('v1'));

    const left = await promisify(execFile)('find', [own.path, '-mindepth', '1']);
    equal(left.stdout, '');
  });
}

it('skopeo writes over a dir: of ours, and we over one of skopeo', async () => {
  const [place, other] = [fresh('dir'), fresh('dir')];
  await writeByUs(LIST, place);
  await writeByUs(SINGLE, other);

  await skopeo(['copy', other, place]);
  equal(await rawDigest(place), SINGLE.root.digest);
  await writeByUs(LIST, place);

  equal(await rawDigest(place), LIST.root.digest);
  equal((await readByUs(place)).tags.get('v1'), LIST.root.digest);
});

it('skopeo adds to an oci: of ours, and we to one of skopeo', async () => {
  const path = join(temp.path, 'together');
  const source = fresh('dir');
  await writeByUs(SINGLE, source);

  await writeByUs(LIST, `oci:${path}:ours`);
  await skopeo(['copy', '--preserve-digests', source, `oci:${path}:theirs`]);
  await writeByUs(SINGLE, `oci:${path}:again`);

  const digests = await Promise.all(
    ['ours', 'theirs', 'again'].map((name) => rawDigest(`oci:${path}:${name}`)),
  );
  deepEqual(
    digests,
    [LIST, SINGLE, SINGLE].map(({ root }) => root.digest),
  );
  equal(await umoci('list', '--layout', path), 'ours\ntheirs\nagain\n');
});

it('a Docker image that skopeo keeps in a dir: is read as it is', async () => {
  const place = fresh('dir');
  const copied = fresh('dir');
  await writeFiles(place.slice('dir:'.length), dirFiles(DOCKER));
  await skopeo(['copy', place, copied]);

  equal((await readByUs(copied)).tags.get('v1'), DOCKER.root.digest);
});

it('umoci unpacks an image that we wrote to oci:', async () => {
  const place = fresh('oci');
  const bundle = join(temp.path, 'bundle');
  await writeByUs(SINGLE, place);

  const inspected = await umoci('stat', '--image', place.slice('oci:'.length), '--json');
  await umoci('unpack', '--rootless', '--image', place.slice('oci:'.length), bundle);

  match(inspected, /"history"/);
  const content = await readFile(join(bundle, 'rootfs', 'file.bin'));
  deepEqual(content, pseudoRandomBytes('single/1', 300_000));
});

it('shared blobs are where skopeo looks for them', async () => {
  const shared = join(temp.path, 'shared');
  const [ours, theirs, copied] = [fresh('oci'), fresh('oci'), fresh('dir')];
  const own = { ...settings, sharedBlobDir: shared };

  await copyImage(sourceOf(LIST), await openSink(ours, own));
  await skopeo(['copy', '--all', '--src-shared-blob-dir', shared, ours, copied]);
  await skopeo(['copy', '--all', '--dest-shared-blob-dir', shared, copied, theirs]);
  const repository = new MemoryRepository();
  await copyImage(await openSource(theirs, own), repository.sink('v1'));

  equal(await rawDigest(copied), LIST.root.digest);
  equal(repository.tags.get('v1'), LIST.root.digest);
  equal(existsSync(join(ours.slice('oci:'.length, -':v1'.length), 'blobs')), false);
});

/** What other tools test themselves with; beside the project where it is developed, else absent. */
const FIXTURES = resolve('../shared/fixtures/images');

describe('the fixtures of other tools', { skip: !existsSync(FIXTURES) }, () => {
  const layouts = 'container-libs/oci-layout/delete_image_multiple_images';
  for (const name of ['3.17.5', '3.18', '3', 'latest', '3.18.3', '3.16.7']) {
    it(`reads ${name} of a layout of seven`, async () => {
      const place = `oci:${join(FIXTURES, layouts)}:${name}`;

      equal((await readByUs(place)).tags.get('v1'), await rawDigest(place));
    });
  }

  const broken: readonly [string, object][] = [
    [`oci:${layouts}:1.0.0`, { code: 'CONTENT_MISMATCH' }], // a config of another size
    [`oci:${layouts}:absent`, { code: 'NOT_FOUND' }],
    [`oci:${layouts}`, { code: 'USAGE' }],
    ['oci:container-libs/oci-layout/name_lookups:a', { code: 'NOT_FOUND' }],
    ['oci:container-libs/oci-layout/two_images_manifest', { code: 'USAGE' }],
    ['oci:container-libs/oci-layout/files', { code: 'NOT_FOUND' }],
    ['oci-archive:go-containerregistry/tarball/test_image_1.tar', { code: 'PROTOCOL' }],
    ['oci-archive:go-containerregistry/tarball/hello-world-v25.tar', { code: 'NOT_FOUND' }], // lists nothing
    ['dir:container-libs/oci-layout/files', { code: 'NOT_FOUND' }],
  ];
  for (const [place, expected] of broken) {
    it(`fails as it should for ${place}`, async () => {
      const [transport, ...path] = place.split(':');
      const found = `${transport}:${join(FIXTURES, path.join(':'))}`;
      let failed: unknown;

      await readByUs(found).catch((error: unknown) => (failed = error));

      deepEqual({ code: (failed as { code?: unknown } | undefined)?.code }, expected);
    });
  }

  it('reads a dir: of an image whose layers are not compressed', async () => {
    const place = `dir:${join(FIXTURES, 'skopeo/dir-uncompressed-image-s2')}`;

    equal((await readByUs(place)).tags.get('v1'), await rawDigest(place));
  });
});
