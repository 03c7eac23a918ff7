import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import { createLayoutSink, createLayoutSource, ociStore } from '../../../src/store/oci-layout.ts';
import { copyImage, sourceOf } from '../../support/copy-image.ts';
import { blobName, layoutFiles, REF_NAME, writeFiles } from '../../support/image-files.ts';
import { image, index, type BuiltImage } from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';
import { tempDir } from '../../support/temp-dir.ts';

const { signal: NEVER } = new AbortController();
const A = image({ seed: 'a' });
const B = image({ seed: 'b' });
const LIST = index([{ image: A }, { image: B }]);
const SETTINGS = { tmpdir: '/nonexistent', env: {} };

function sinkOf(directory: string, name?: string) {
  return createLayoutSink({ directory }, { label: 'oci:x', name, limits: {} });
}

function sourceIn(directory: string, name?: string) {
  return createLayoutSource({ directory }, { label: 'oci:x', name });
}

async function write(held: BuiltImage, directory: string, name?: string) {
  return copyImage(sourceOf(held), sinkOf(directory, name));
}

function entriesIn(directory: string): [string, string | undefined][] {
  const { manifests } = JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations?: Record<string, string> }[];
  };
  return manifests.map(({ digest, annotations }) => [digest, annotations?.[REF_NAME]]);
}

describe('the sink of oci:', () => {
  it('writes the files of the format, and no others', async () => {
    await using temp = await tempDir();
    const directory = join(temp.path, 'deep/layout');

    await write(LIST, directory, 'v1');

    const expected = layoutFiles([{ image: LIST, name: 'v1' }]);
    const files = readdirSync(directory, { recursive: true, withFileTypes: true });
    equal(files.filter((file) => file.isFile()).length, expected.size);
    for (const [name, bytes] of expected) {
      if (name !== 'index.json') deepEqual(readFileSync(join(directory, name)), bytes);
    }
    deepEqual(entriesIn(directory), [[LIST.root.digest, 'v1']]);
  });

  it('moves a name, keeps what had it, and brings blobs but once', async () => {
    await using temp = await tempDir();

    await write(A, temp.path, 'v1');
    const second = await write(LIST, temp.path, 'v1');
    const third = await write(LIST, temp.path, 'v1');

    deepEqual(second.blobs, { present: A.blobs.length, mounted: 0, copied: B.blobs.length });
    equal(third.outcome, 'unchanged');
    deepEqual(entriesIn(temp.path), [
      [A.root.digest, undefined],
      [LIST.root.digest, 'v1'],
    ]);
  });

  it('adds images without a name, each once', async () => {
    await using temp = await tempDir();
    await write(A, temp.path, 'named');

    const outcomes = [];
    for (const held of [A, B, A, B]) outcomes.push((await write(held, temp.path)).outcome);

    deepEqual(outcomes, ['copied', 'copied', 'copied', 'copied']);
    deepEqual(entriesIn(temp.path), [
      [A.root.digest, 'named'],
      [A.root.digest, undefined],
      [B.root.digest, undefined],
    ]);
    const hoped = digestOf(B.root.bytes);
    equal((await sinkOf(temp.path).head(NEVER, hoped))?.digest, hoped);
  });
});

describe('the sink of an oci: that others write, or have written', () => {
  it('loses none of many at once', async () => {
    await using temp = await tempDir();
    const images = Array.from({ length: 20 }, (_, at) => image({ seed: `${at}`, layers: 1 }));

    await Promise.all(images.map((held, at) => write(held, temp.path, `v${at}`)));

    deepEqual(
      entriesIn(temp.path).toSorted(),
      images.map(({ root }, at) => [root.digest, `v${at}`]).toSorted(),
    );
    deepEqual(readdirSync(temp.path).toSorted(), ['blobs', 'index.json', 'oci-layout']);
  });

  it('brings a blob that many images need but once', async () => {
    await using temp = await tempDir();
    const repository = new MemoryRepository().hold('v1', A);

    await Promise.all(
      ['x', 'y', 'z'].map((name) => copyImage(repository.source('v1'), sinkOf(temp.path, name))),
    );

    const opened = repository.calls.filter((call) => call.startsWith('blob '));
    equal(opened.length, A.blobs.length);
  });

  it('writes again what is of another size', async () => {
    await using temp = await tempDir();
    await write(A, temp.path, 'v1');
    const [blob] = A.blobs;
    await writeFile(join(temp.path, blobName(blob!.digest)), 'cut');

    await write(A, temp.path, 'v2');

    deepEqual(readFileSync(join(temp.path, blobName(blob!.digest))), blob!.bytes);
  });

  it('is not unchanged when the manifest is gone', async () => {
    await using temp = await tempDir();
    await write(A, temp.path, 'v1');
    await rm(join(temp.path, blobName(A.root.digest)));

    equal((await write(A, temp.path, 'v1')).outcome, 'copied');
  });

  it('keeps what it does not know in index.json', async () => {
    await using temp = await tempDir();
    await write(A, temp.path, 'v1');
    const path = join(temp.path, 'index.json');
    const json = JSON.parse(readFileSync(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...json, annotations: { mine: 'yes' } }));

    await write(B, temp.path, 'v2');

    match(readFileSync(path, 'utf8'), /"annotations":\{"mine":"yes"\}/);
  });
});

describe('what the sink of oci: refuses', () => {
  it('a number as a name, and layouts of another version', async () => {
    await using temp = await tempDir();
    const location = { transport: 'oci', path: temp.path } as const;
    await rejects(ociStore.sink({ ...location, index: 0 }, SETTINGS, NEVER), { code: 'USAGE' });

    await writeFile(join(temp.path, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');

    await rejects(write(A, temp.path, 'v1'), { code: 'UNSUPPORTED' });
    equal(existsSync(join(temp.path, 'index.json')), false);
  });

  it('an index.json that it can not read, which stays as it is', async () => {
    await using temp = await tempDir();
    await writeFile(join(temp.path, 'index.json'), '{');

    await rejects(write(A, temp.path, 'v1'), { code: 'PROTOCOL' });
    equal(readFileSync(join(temp.path, 'index.json'), 'utf8'), '{');
  });

  it('to write through a link', async () => {
    await using temp = await tempDir();
    await using outside = await tempDir();
    await symlink(outside.path, join(temp.path, 'blobs'));

    await rejects(write(A, temp.path, 'v1'), { code: 'PROTOCOL' });
    deepEqual(readdirSync(outside.path), []);
  });

  it('has OCI forms and compressed layers as its limits', async () => {
    const location = { transport: 'oci', path: 'x' } as const;
    const open = { ...SETTINGS, acceptUncompressedLayers: true };

    deepEqual((await ociStore.sink(location, SETTINGS, NEVER)).limits, {
      forms: ['oci'],
      layers: 'compressed',
    });
    deepEqual((await ociStore.sink(location, open, NEVER)).limits, { forms: ['oci'] });
  });
});

describe('the source of oci:', () => {
  it('reads the only image without a name, and any by its number', async () => {
    await using temp = await tempDir();
    await writeFiles(temp.path, layoutFiles([{ image: A, name: 'a' }]));

    equal((await sourceIn(temp.path).head(NEVER))?.digest, A.root.digest);
    await writeFiles(temp.path, layoutFiles([{ image: A, name: 'a' }, { image: LIST }]));
    const second = createLayoutSource({ directory: temp.path }, { label: 'x', index: 1 });
    equal((await second.manifest('root', NEVER)).descriptor.digest, LIST.root.digest);
  });

  it('says what there is when an image is not, or one has to be chosen', async () => {
    await using temp = await tempDir();
    await writeFiles(temp.path, layoutFiles([{ image: A, name: 'a' }, { image: B }]));

    await rejects(sourceIn(temp.path, 'c').manifest('root', NEVER), {
      code: 'NOT_FOUND',
      message: `oci:x: there is no such image: ${temp.path} holds a, @1`,
    });
    await rejects(sourceIn(temp.path).head(NEVER), { code: 'USAGE' });
    await rejects(sourceIn('/nonexistent').manifest('root', NEVER), { code: 'NOT_FOUND' });
  });

  it('reads Docker images', async () => {
    await using temp = await tempDir();
    const docker = image({ mediaTypes: 'docker' });
    await writeFiles(temp.path, layoutFiles([{ image: docker, name: 'a' }]));
    const repository = new MemoryRepository();

    await copyImage(sourceIn(temp.path, 'a'), repository.sink('v1'));

    equal(repository.tags.get('v1'), docker.root.digest);
  });

  it('refuses a manifest that is not what index.json calls it', async () => {
    await using temp = await tempDir();
    await writeFiles(temp.path, layoutFiles([{ image: A, name: 'a' }]));
    const path = join(temp.path, 'index.json');
    const text = readFileSync(path, 'utf8');
    await writeFile(path, text.replace('image.manifest.v1', 'image.index.v1'));

    await rejects(sourceIn(temp.path).manifest('root', NEVER), { code: 'PROTOCOL' });

    await writeFile(path, text);
    await writeFile(join(temp.path, blobName(A.root.digest)), B.root.bytes);
    await rejects(sourceIn(temp.path).manifest('root', NEVER), { code: 'CONTENT_MISMATCH' });
  });

  for (const part of ['blobs', 'blobs/sha256']) {
    it(`follows no link at ${part}`, async () => {
      await using temp = await tempDir();
      await using outside = await tempDir();
      await writeFiles(temp.path, layoutFiles([{ image: A }]));
      await rename(join(temp.path, part), join(outside.path, 'moved'));
      await symlink(join(outside.path, 'moved'), join(temp.path, part));

      await rejects(sourceIn(temp.path).manifest('root', NEVER), { code: 'PROTOCOL' });
    });
  }

  it('reads through a link that the user named', async () => {
    await using temp = await tempDir();
    await mkdir(join(temp.path, 'real'));
    await writeFiles(join(temp.path, 'real'), layoutFiles([{ image: A }]));
    await symlink('real', join(temp.path, 'link'));

    const source = sourceIn(join(temp.path, 'link'));

    equal((await source.manifest('root', NEVER)).descriptor.digest, A.root.digest);
  });
});
