import { deepEqual, equal, rejects } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import { readManifest } from '../../../src/image/manifest.ts';
import type { ImageSink } from '../../../src/image/source-and-sink.ts';
import { parseLocation, type StoreLocation } from '../../../src/store/location.ts';
import { openStoreSink, openStoreSource } from '../../../src/store/open.ts';
import { archivedImage, hexOf, partsOf } from '../../support/docker-archive.ts';
import { image as gzipped, index, type BuiltImage } from '../../support/images.ts';
import { tempDir } from '../../support/temp-dir.ts';

const { signal } = new AbortController();
const IMAGE = archivedImage({ seed: 'sink', layers: 3 });

async function open(
  text: string,
  tmpdir: string,
  tags: readonly string[] = [],
): Promise<ImageSink> {
  const location = parseLocation(`docker-archive:${text}`) as StoreLocation;
  return openStoreSink(location, { tmpdir, env: {}, additionalTags: tags }, signal);
}

const rootOf = ({ root }: BuiltImage): ReturnType<typeof readManifest> =>
  readManifest(root.bytes, root.mediaType);

async function putBlobs(sink: ImageSink, { blobs }: BuiltImage): Promise<void> {
  await Promise.all(
    blobs.map(({ mediaType, bytes }) =>
      sink.putBlob(
        { mediaType, digest: digestOf(bytes), size: bytes.length },
        async () => bytes,
        signal,
      ),
    ),
  );
}

async function put(sink: ImageSink, image = IMAGE): Promise<void> {
  await putBlobs(sink, image);
  await sink.putManifest(rootOf(image), 'root', signal);
}

/** Writes the image and disposes of the sink. */
async function write(path: string, dir: string, tags: readonly string[] = []): Promise<void> {
  await using sink = await open(path, dir, tags);
  await put(sink);
}

const tar = (...args: string[]): string => spawnSync('tar', args, { encoding: 'utf8' }).stdout;
const json = (path: string, name: string): unknown => JSON.parse(tar('xOf', path, name));

describe('the sink of a docker-archive', () => {
  it('wants plain layers, in docker’s form, of one image', async () => {
    await using dir = await tempDir();
    await using sink = await open(join(dir.path, 'a.tar'), dir.path);

    deepEqual(sink.limits, { forms: ['docker'], layers: 'plain', indexes: false });
  });

  it('lists the image under all of its names', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.tar');
    const { config, layers } = partsOf(IMAGE);

    await write(`${path}:one:1`, dir.path, ['docker.io/library/one:1', 'registry.test:5000/b/c:2']);

    const tags = ['docker.io/library/one:1', 'registry.test:5000/b/c:2'];
    const names = layers.map((layer) => `${hexOf(layer)}.tar`);
    deepEqual(json(path, 'manifest.json'), [
      { Config: `${hexOf(config)}.json`, RepoTags: tags, Layers: names },
    ]);
    const repositories = json(path, 'repositories') as Record<string, Record<string, string>>;
    const top = repositories['registry.test:5000/b/c']?.['2'] ?? '';
    deepEqual(repositories['docker.io/library/one'], { 1: top });
    deepEqual(tar('xOf', path, `${top}/VERSION`), '1.0');
  });

  it('lists it without a name when it has none', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.tar');

    await write(path, dir.path);

    deepEqual((json(path, 'manifest.json') as { RepoTags: unknown }[])[0]?.RepoTags, []);
    deepEqual(json(path, 'repositories'), {});
  });
});

describe('an archive for old versions of Docker', () => {
  it('has each layer in the old form too, above its parent', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.tar');
    await write(`${path}:one:1`, dir.path);
    const { layers } = partsOf(IMAGE);
    const { 1: top = '' } = (json(path, 'repositories') as { [name: string]: { 1: string } })[
      'docker.io/library/one'
    ] ?? { 1: '' };

    const links: string[] = [];
    for (let id: string | undefined = top; id !== undefined;) {
      const { id: own, parent } = json(path, `${id}/json`) as { id: string; parent?: string };
      equal(own, id);
      links.unshift(
        tar('tvf', path, `${id}/layer.tar`)
          .replace(/.* -> /s, '')
          .trim(),
      );
      id = parent;
    }

    deepEqual(
      links,
      layers.map((layer) => `../${hexOf(layer)}.tar`),
    );
    equal((json(path, `${top}/json`) as { architecture?: string }).architecture, 'amd64');
  });

  it('writes equal images equally', async () => {
    await using dir = await tempDir();
    await write(`${join(dir.path, 'a.tar')}:one:1`, dir.path);
    await write(`${join(dir.path, 'b.tar')}:one:1`, dir.path);

    deepEqual(await readFile(join(dir.path, 'a.tar')), await readFile(join(dir.path, 'b.tar')));
  });
});

describe('the file of a docker-archive', () => {
  it('shows nothing before the root, and leaves nothing when it is given up', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.tar');
    const sink = await open(path, dir.path);
    await putBlobs(sink, IMAGE);
    await rejects(stat(path), { code: 'ENOENT' });

    await sink[Symbol.asyncDispose]();

    deepEqual(await readdir(dir.path), []);
  });

  it('adds nothing to an archive, and takes the place of an empty file', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.tar');
    await writeFile(path, '');
    await write(path, dir.path);
    const before = await readFile(path);

    await rejects(open(path, dir.path), { code: 'UNSUPPORTED', message: /is there already/ });

    deepEqual(await readFile(path), before);
    deepEqual(await readdir(dir.path), ['a.tar']);
  });

  it('does not replace an archive that came to be meanwhile', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.tar');
    await using sink = await open(path, dir.path);
    await putBlobs(sink, IMAGE);
    await writeFile(path, 'of somebody else');

    await rejects(sink.putManifest(rootOf(IMAGE), 'root', signal), { code: 'UNSUPPORTED' });

    equal(await readFile(path, 'utf8'), 'of somebody else');
  });
});

describe('the place of a docker-archive', () => {
  it('writes through a pipe when the archive is whole', async () => {
    await using dir = await tempDir();
    const [path, whole] = [join(dir.path, 'pipe'), join(dir.path, 'a.tar')];
    await write(whole, dir.path);
    equal(spawnSync('mkfifo', [path]).status, 0);
    await symlink(path, join(dir.path, 'link'));
    const reading = readFile(path);

    await write(join(dir.path, 'link'), dir.path);

    deepEqual(await reading, await readFile(whole));
    deepEqual((await readdir(dir.path)).toSorted(), ['a.tar', 'link', 'pipe']);
  });

  it('says what is wrong with the place', async () => {
    await using dir = await tempDir();

    await rejects(open(dir.path, dir.path), { code: 'USAGE', message: /is a directory/ });
    await rejects(open(join(dir.path, 'no/a.tar'), dir.path), {
      code: 'USAGE',
      message: /no\/a\.tar: there is no such directory/,
    });
    await rejects(open(`${join(dir.path, 'a.tar')}:@1`, dir.path), {
      code: 'USAGE',
      message: /@1/,
    });
  });

  it('says when the disk is full', async () => {
    await rejects(write('/dev/full', '/tmp'), {
      code: 'USAGE',
      message: /\/dev\/full: the disk is full/,
    });
  });
});

describe('the sink of a docker-archive refuses', () => {
  it('an index, and children', async () => {
    await using dir = await tempDir();
    await using sink = await open(join(dir.path, 'a.tar'), dir.path);
    await putBlobs(sink, IMAGE);

    const unsupported = { code: 'UNSUPPORTED', message: /no index/ };
    await rejects(sink.putManifest(rootOf(index([{ image: IMAGE }])), 'root', signal), unsupported);
    await rejects(sink.putManifest(rootOf(IMAGE), 'child', signal), unsupported);
  });

  it('layers that are compressed', async () => {
    await using dir = await tempDir();
    await using sink = await open(join(dir.path, 'a.tar'), dir.path);

    await rejects(put(sink, gzipped({ mediaTypes: 'docker' })), {
      code: 'UNSUPPORTED',
      message: /rootfs\.diff_ids/,
    });
  });

  it('a second image', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a.tar');
    await using sink = await open(path, dir.path);
    await put(sink);
    const before = await readFile(path);

    await rejects(put(sink, archivedImage({ seed: 'other' })), { code: 'UNSUPPORTED' });

    deepEqual(await readFile(path), before);
  });
});

it('what is written is read as the same image', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'a.tar');
  await write(`${path}:one:1`, dir.path);
  const location = parseLocation(`docker-archive:${path}:one:1`) as StoreLocation;
  await using source = await openStoreSource(location, { tmpdir: dir.path, env: {} }, signal);

  deepEqual(Buffer.from((await source.manifest('root', signal)).bytes), IMAGE.root.bytes);
});
