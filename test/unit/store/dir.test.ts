import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { digestOf } from '../../../src/image/digest.ts';
import { readManifest } from '../../../src/image/manifest.ts';
import { createDirSink, createDirSource, dirStore } from '../../../src/store/dir.ts';
import { copyImage, sourceOf } from '../../support/copy-image.ts';
import { dirFiles, writeFiles } from '../../support/image-files.ts';
import { image, index, type BuiltImage } from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';
import { tempDir } from '../../support/temp-dir.ts';

const { signal: NEVER } = new AbortController();
const SETTINGS = { tmpdir: '/nonexistent', env: {} };
const SINGLE = image({ seed: 'single' });
const LIST = index([{ image: SINGLE }, { image: image({ seed: 'other' }) }]);
const at = (path: string) => ({ transport: 'dir', path }) as const;
const write = (held: BuiltImage, path: string) =>
  copyImage(sourceOf(held), createDirSink(at(path)));
const namesIn = (path: string): string[] => readdirSync(path).toSorted();
const namesOf = (held: BuiltImage): string[] => [...dirFiles(held).keys()].toSorted();

/** Of an image with nothing but sha512 in it. */
function sha512Image(): { bytes: Buffer; blobs: Buffer[]; digest: string } {
  const blobs = [Buffer.from('{}'), Buffer.from('layer')];
  const [config, layer] = blobs.map((content) => ({
    mediaType: 'application/x',
    digest: digestOf(content, 'sha512'),
    size: content.length,
  }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [layer] }));
  return { bytes, blobs, digest: digestOf(bytes) };
}

describe('the sink of dir:', () => {
  it('writes the files of the format, and no others', async () => {
    await using temp = await tempDir();
    const path = join(temp.path, 'deep/down');

    await write(LIST, path);

    deepEqual(namesIn(path), namesOf(LIST));
    for (const [name, bytes] of dirFiles(LIST)) deepEqual(readFileSync(join(path, name)), bytes);
    deepEqual(namesIn(join(temp.path, 'deep')), ['down']);
  });

  it('shows nothing before the root is put, and leaves nothing when there is none', async () => {
    await using temp = await tempDir();
    const [absent, empty] = [join(temp.path, 'absent'), join(temp.path, 'empty')];
    await mkdir(empty);

    for (const path of [absent, empty]) {
      await using sink = createDirSink(at(path));
      const [blob] = SINGLE.blobs;
      const target = { mediaType: 'x', digest: digestOf(blob!.bytes), size: blob!.bytes.length };
      equal(await sink.putBlob(target, async () => blob!.bytes, NEVER), 'copied');
      equal(await createDirSource(at(path)).head(NEVER), undefined);
    }

    deepEqual([namesIn(temp.path), namesIn(empty)], [['empty'], []]);
  });

  it('writes over an image: what was of it is gone, what was not stays', async () => {
    await using temp = await tempDir();
    await write(LIST, temp.path);
    await writeFile(join(temp.path, 'signature-1'), '');
    await writeFile(join(temp.path, 'notes.txt'), 'mine');
    await chmod(temp.path, 0o750);

    await write(SINGLE, temp.path);

    deepEqual(namesIn(temp.path), [...namesOf(SINGLE), 'notes.txt'].toSorted());
    equal(statSync(temp.path).mode & 0o777, 0o750);
  });
});

describe('the sink of a dir: that was written before', () => {
  it('keeps the old image when the new one fails', async () => {
    await using temp = await tempDir();
    await write(SINGLE, temp.path);
    const repository = new MemoryRepository().hold('v1', LIST);
    repository.trouble = (call) => {
      if (call.startsWith('blob')) throw new Error('broken');
    };

    const copying = copyImage(repository.source('v1'), createDirSink(at(temp.path)));

    await rejects(copying, { message: 'broken' });
    deepEqual(namesIn(temp.path), namesOf(SINGLE));
  });

  it('is unchanged when it has the image', async () => {
    await using temp = await tempDir();
    await write(SINGLE, temp.path);

    equal((await write(SINGLE, temp.path)).outcome, 'unchanged');
    equal((await write(LIST, temp.path)).outcome, 'copied');
  });

  it('writes into a directory through a link that the user named', async () => {
    await using temp = await tempDir();
    await mkdir(join(temp.path, 'real'));
    await symlink('real', join(temp.path, 'link'));

    await write(SINGLE, join(temp.path, 'link'));

    deepEqual(namesIn(join(temp.path, 'real')), namesOf(SINGLE));
  });

  it('writes version 1.2 when a digest is not sha256, and reads it again', async () => {
    await using temp = await tempDir();
    const { bytes, blobs, digest } = sha512Image();
    const sink = createDirSink(at(join(temp.path, 'new')));
    const stored = readManifest(bytes, undefined);
    for (const content of blobs) {
      const size = content.length;
      const target = { mediaType: 'x', digest: digestOf(content, 'sha512'), size };
      await sink.putBlob(target, async () => content, NEVER);
    }
    await sink.putManifest(stored, 'root', NEVER);

    const names = namesIn(join(temp.path, 'new'));
    match(
      readFileSync(join(temp.path, 'new/version'), 'utf8'),
      /^Directory Transport Version: 1\.2\n$/,
    );
    equal(names.filter((name) => /^sha512-[0-9a-f]{128}$/.test(name)).length, 2);
    const repository = new MemoryRepository();
    await copyImage(createDirSource(at(join(temp.path, 'new'))), repository.sink('v1'));
    equal(repository.tags.get('v1'), digest);
  });
});

describe('a directory that is not written', () => {
  const wrong: readonly [string, Record<string, string>][] = [
    ['has other files', { 'notes.txt': 'mine' }],
    ['has a manifest but no version', { 'manifest.json': '{}' }],
    ['has a version of something else', { version: '1.1\n' }],
  ];
  for (const [what, files] of wrong) {
    it(what, async () => {
      await using temp = await tempDir();
      const contents = Object.entries(files).map(
        ([name, text]) => [name, Buffer.from(text)] as const,
      );
      await writeFiles(temp.path, new Map(contents));

      await rejects(dirStore.sink(at(temp.path), SETTINGS, NEVER), (error: Error) => {
        match(error.message, /^dir:.* is not written: the directory is not empty/);
        return (error as { code?: string }).code === 'USAGE';
      });
      await rejects(write(SINGLE, temp.path), { code: 'USAGE' });
      deepEqual(namesIn(temp.path), Object.keys(files));
    });
  }

  it('is a file', async () => {
    await using temp = await tempDir();
    const path = join(temp.path, 'file');
    await writeFile(path, 'mine');

    await rejects(dirStore.sink(at(path), SETTINGS, NEVER), { code: 'USAGE' });
    equal(readFileSync(path, 'utf8'), 'mine');
  });
});

describe('the source of dir:', () => {
  it('finds the root by its digest too', async () => {
    await using temp = await tempDir();
    await writeFiles(temp.path, dirFiles(LIST));
    const { descriptor } = readManifest(LIST.root.bytes, undefined);

    const stored = await createDirSource(at(temp.path)).manifest(descriptor.digest, NEVER);

    equal(stored.descriptor.digest, LIST.root.digest);
  });

  it('reads a directory without a version, as skopeo does', async () => {
    await using temp = await tempDir();
    await writeFiles(temp.path, dirFiles(SINGLE));
    await rm(join(temp.path, 'version'));

    equal((await createDirSource(at(temp.path)).head(NEVER))?.digest, SINGLE.root.digest);
  });

  it('reads sha512 blobs whose names leave the algorithm out, as older writers write them', async () => {
    await using temp = await tempDir();
    const { bytes, blobs, digest } = sha512Image();
    const hex = (content: Buffer): string => digestOf(content, 'sha512').slice('sha512:'.length);
    const files = blobs.map((content) => [hex(content), content] as const);
    await writeFiles(temp.path, new Map([...files, ['manifest.json', bytes] as const]));

    const repository = new MemoryRepository();
    await copyImage(createDirSource(at(temp.path)), repository.sink('v1'));

    equal(repository.tags.get('v1'), digest);
  });

  it('refuses a child that is not what it is called', async () => {
    await using temp = await tempDir();
    await writeFiles(temp.path, dirFiles(LIST));
    const { descriptor } = readManifest(SINGLE.root.bytes, undefined);
    const name = `${descriptor.digest.slice('sha256:'.length)}.manifest.json`;
    await writeFile(join(temp.path, name), `${SINGLE.root.bytes.toString()} `);

    const reading = createDirSource(at(temp.path)).manifest(descriptor.digest, NEVER);

    await rejects(reading, { code: 'CONTENT_MISMATCH' });
  });

  it('follows no link', async () => {
    await using temp = await tempDir();
    await using outside = await tempDir();
    await writeFiles(outside.path, dirFiles(SINGLE));
    for (const name of namesOf(SINGLE))
      await symlink(join(outside.path, name), join(temp.path, name));
    const source = createDirSource(at(temp.path));
    const [blob] = SINGLE.blobs;
    const target = { mediaType: 'x', digest: digestOf(blob!.bytes), size: blob!.bytes.length };

    await rejects(source.head(NEVER), { code: 'PROTOCOL' });
    await rejects(source.manifest('root', NEVER), { code: 'PROTOCOL' });
    await rejects(source.blob(target, NEVER), { code: 'PROTOCOL' });
  });

  it('reads no endless manifest', async () => {
    await using temp = await tempDir();
    await writeFile(join(temp.path, 'manifest.json'), Buffer.alloc(4 * 1024 * 1024 + 1, ' '));

    await rejects(createDirSource(at(temp.path)).head(NEVER), { code: 'PROTOCOL' });
  });

  it('says which path holds nothing', async () => {
    const source = createDirSource(at('/nonexistent/x'));

    await rejects(source.manifest('root', NEVER), {
      code: 'NOT_FOUND',
      message: '/nonexistent/x has no manifest.json',
    });
  });
});
