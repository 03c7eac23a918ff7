import { deepEqual, equal } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';

import { createCopier } from '../../src/copy/copier.ts';
import { createTransfers } from '../../src/copy/run.ts';
import { ALL } from '../../src/copy/select.ts';
import { listArchive } from '../../src/store/docker-archive-source.ts';
import { parseLocation, type StoreLocation } from '../../src/store/location.ts';
import { openStoreSink, openStoreSource, type StoreSettings } from '../../src/store/open.ts';
import { archivedImage, archiveEntries, hexOf, partsOf } from '../support/docker-archive.ts';
import { skopeo } from '../support/skopeo.ts';
import { tarOf } from '../support/tar-bytes.ts';
import { tempDir } from '../support/temp-dir.ts';

const { signal } = new AbortController();
const copy = createCopier({ transfers: createTransfers(), selection: ALL, referrers: 'none' });
const IMAGE = archivedImage({ seed: 'integration', layers: 3, layerBytes: 300_000 });
const FIXTURES = resolve('../shared/fixtures/images');

async function copyTo(from: string, to: string, settings: StoreSettings): Promise<void> {
  const [source, target] = [from, to].map((text) => parseLocation(text) as StoreLocation);
  if (source === undefined || target === undefined) throw new Error('two locations');
  await using image = await openStoreSource(source, settings, signal);
  await using sink = await openStoreSink(target, settings, signal);
  await copy({ source: image, sink, signal });
}

async function manifestOf(location: string, settings: StoreSettings): Promise<string> {
  await using image = await openStoreSource(
    parseLocation(location) as StoreLocation,
    settings,
    signal,
  );
  return Buffer.from((await image.manifest('root', signal)).bytes).toString('utf8');
}

/** skopeo says of all layers that they are compressed. */
const asSkopeoSays = (manifest: string): string =>
  manifest.replaceAll('rootfs.diff.tar"', 'rootfs.diff.tar.gzip"');

describe('skopeo', () => {
  it('reads what we write', async () => {
    await using dir = await tempDir();
    const settings = { tmpdir: dir.path, env: {}, additionalTags: ['registry.test/b:2'] };
    const [first, ours] = [join(dir.path, 'first.tar'), join(dir.path, 'ours.tar')];
    await writeFile(first, tarOf(archiveEntries([{ image: IMAGE, tags: null }])));
    await copyTo(`docker-archive:${first}`, `docker-archive:${ours}:a:1`, settings);

    for (const which of ['', ':a:1', ':registry.test/b:2', ':@0']) {
      const target = join(dir.path, `dir${which.replaceAll(/\W/g, '-')}`);
      await skopeo(['copy', `docker-archive:${ours}${which}`, `dir:${target}`]);
      for (const blob of IMAGE.blobs)
        deepEqual(await readFile(join(target, hexOf(blob))), blob.bytes);
    }
    const { Tags } = JSON.parse(await skopeo(['list-tags', `docker-archive:${ours}`])) as {
      Tags: string[];
    };
    deepEqual(Tags, ['docker.io/library/a:1', 'registry.test/b:2']);
    const raw = await skopeo(['inspect', '--raw', `docker-archive:${ours}`]);
    equal(asSkopeoSays(await manifestOf(`docker-archive:${ours}`, settings)), raw);
  });

  it('writes what we read', async () => {
    await using dir = await tempDir();
    const settings = { tmpdir: dir.path, env: {} };
    const [first, theirs] = [join(dir.path, 'first.tar'), join(dir.path, 'theirs.tar')];
    await writeFile(first, tarOf(archiveEntries([{ image: IMAGE, tags: null }])));
    await skopeo(['copy', `docker-archive:${first}`, `docker-archive:${theirs}:a:1`]);

    equal(await manifestOf(`docker-archive:${theirs}:a:1`, settings), IMAGE.root.bytes.toString());
    deepEqual(await listArchive(theirs, settings, signal), [
      { index: 0, tags: ['docker.io/library/a:1'] },
    ]);
    await copyTo(
      `docker-archive:${theirs}`,
      `docker-archive:${join(dir.path, 'ours.tar')}`,
      settings,
    );
    await skopeo(['copy', `docker-archive:${join(dir.path, 'ours.tar')}`, `dir:${dir.path}/d`]);
    for (const { digest, bytes } of [partsOf(IMAGE).config, ...partsOf(IMAGE).layers]) {
      deepEqual(await readFile(join(dir.path, 'd', hexOf({ digest }))), bytes);
    }
  });
});

describe('of the same archive', { skip: !existsSync(FIXTURES) }, () => {
  const files = [
    'go-containerregistry/tarball/hello-world-v25.tar',
    'go-containerregistry/tarball/test_image_1.tar',
    'go-containerregistry/tarball/test_bundle.tar:@0',
    'go-containerregistry/tarball/test_link.tar:@0',
    'container-libs/docker-archive/almostempty.tar',
  ];
  for (const file of files) {
    it(`skopeo makes the same manifest up: ${file}`, async () => {
      await using dir = await tempDir();
      const location = `docker-archive:${join(FIXTURES, file)}`;

      const ours = await manifestOf(location, { tmpdir: dir.path, env: {} });

      equal(asSkopeoSays(ours), await skopeo(['inspect', '--raw', location]));
    });
  }

  it('skopeo takes a link for its layer: of 0 bytes', async () => {
    await using dir = await tempDir();
    const location = `docker-archive:${join(FIXTURES, 'go-containerregistry/tarball/test_link.tar')}:@1`;

    const ours = await manifestOf(location, { tmpdir: dir.path, env: {} });

    const theirs = await skopeo(['inspect', '--raw', location]);
    equal(asSkopeoSays(ours).replace('"size":10240', '"size":0'), theirs);
  });
});
