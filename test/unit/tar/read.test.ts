import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { bytesOf, indexTar, type TarIndex } from '../../../src/tar/read.ts';
import { collect } from '../../support/collect.ts';
import { tarOf, type TarBytesEntry } from '../../support/tar-bytes.ts';
import { tempDir } from '../../support/temp-dir.ts';

const { signal } = new AbortController();
const HEX = 'a'.repeat(64);
const LAYER = { name: `${HEX}.tar`, content: Buffer.alloc(900_000, 'layer') };

/** The index of an archive, and the contents of its files by name. */
async function read(
  bytes: Buffer,
  { maxEntries, abort = signal }: { maxEntries?: number; abort?: AbortSignal } = {},
): Promise<{ index: TarIndex; contentOf: (name: string) => Promise<Buffer | undefined> }> {
  const dir = await tempDir();
  const path = join(dir.path, 'a.tar');
  await writeFile(path, bytes);
  const file = await open(path);
  const content = await file.readFile();
  try {
    const index = await indexTar({ file, size: bytes.length }, abort, maxEntries);
    return {
      index,
      async contentOf(name) {
        const entry = index.linked(name);
        return entry && content.subarray(entry.offset, entry.offset + entry.size);
      },
    };
  } finally {
    await file.close();
    await dir[Symbol.asyncDispose]();
  }
}

const readEntries = (...entries: TarBytesEntry[]): ReturnType<typeof read> => read(tarOf(entries));

describe('indexTar', () => {
  it('says where files are, behind large ones too', async () => {
    const { contentOf } = await readEntries(
      { name: 'a', content: 'first' },
      LAYER,
      { name: 'dir/', type: 'directory' },
      { name: 'dir/b', content: 'last' },
    );

    deepEqual(await contentOf('a'), Buffer.from('first'));
    deepEqual(await contentOf(LAYER.name), LAYER.content);
    deepEqual(await contentOf('dir/b'), Buffer.from('last'));
    equal(await contentOf('c'), undefined);
  });

  it('takes names with ./ in front, and names of pax headers', async () => {
    const { contentOf } = await readEntries(
      { name: './a', content: 'x' },
      { name: 'short', content: 'y', pax: { path: `./${'long/'.repeat(40)}name` } },
    );

    deepEqual(await contentOf('a'), Buffer.from('x'));
    deepEqual(await contentOf(`${'long/'.repeat(40)}name`), Buffer.from('y'));
  });

  it('follows symbolic and hard links inside', async () => {
    const { index, contentOf } = await readEntries(
      { name: 'id/layer.tar', type: 'symlink', linkname: `../${LAYER.name}` },
      { name: 'other/layer.tar', type: 'symlink', linkname: '../id/layer.tar' },
      { name: 'hard.tar', type: 'link', linkname: LAYER.name },
      LAYER,
    );

    deepEqual(await contentOf('other/layer.tar'), LAYER.content);
    deepEqual(await contentOf('hard.tar'), LAYER.content);
    throws(() => index.file('hard.tar'), { code: 'PROTOCOL', message: /is a link/ });
  });

  it('reads no link that leads nowhere, or in a circle', async () => {
    const { index } = await readEntries(
      { name: 'a', type: 'symlink', linkname: 'b' },
      { name: 'b', type: 'symlink', linkname: 'a' },
      { name: 'self', type: 'link', linkname: 'self' },
      { name: 'nowhere', type: 'symlink', linkname: 'absent' },
    );

    throws(() => index.linked('a'), { code: 'PROTOCOL', message: /circle/ });
    throws(() => index.linked('self'), { code: 'PROTOCOL', message: /circle/ });
    throws(() => index.linked('nowhere'), {
      code: 'PROTOCOL',
      message: /"absent", which is absent/,
    });
  });

  it('gives no file that is there twice', async () => {
    const { index } = await readEntries({ name: 'a', content: '1' }, { name: './a', content: '2' });

    throws(() => index.file('a'), { code: 'PROTOCOL', message: /"a" is there more than once/ });
  });
});

describe('a hostile archive', () => {
  const hostile: [string, TarBytesEntry][] = [
    ['an absolute name', { name: '/etc/passwd', content: 'x' }],
    ['a name that leads out', { name: 'a/../../b', content: 'x' }],
    ['a directory that leads out', { name: '../', type: 'directory' }],
    ['a pax name that leads out', { name: 'a', content: 'x', pax: { path: '../../b' } }],
    ['a backslash', { name: 'a\\..\\b', content: 'x' }],
    ['a drive', { name: 'C:/b', content: 'x' }],
    ['an absolute link', { name: 'a', type: 'symlink', linkname: '/etc/passwd' }],
    ['a link that leads out', { name: 'a/b', type: 'symlink', linkname: '../../etc/passwd' }],
    ['a hard link that leads out', { name: 'a/b', type: 'link', linkname: '../etc/passwd' }],
    ['an absolute hard link', { name: 'a', type: 'link', linkname: '/etc/passwd' }],
    ['a character device', { name: 'a', type: 'characterDevice' }],
    ['a block device', { name: 'a', type: 'blockDevice' }],
    ['a fifo', { name: 'a', type: 'fifo' }],
    ['a sparse file of GNU', { name: 'a', type: 'sparse', content: 'x' }],
    ['a sparse file of pax', { name: 'a', content: 'x', pax: { 'GNU.sparse.major': '1' } }],
    ['a file without a name', { name: './', type: 'file', content: '', pax: { path: '.' } }],
    ['a name of 5000 letters', { name: 'a', content: 'x', pax: { path: 'x'.repeat(5000) } }],
  ];
  for (const [shown, entry] of hostile) {
    it(`refuses an archive with ${shown}`, async () => {
      await rejects(
        readEntries(LAYER, entry, { name: 'manifest.json', content: '[]' }),
        (error) => {
          const { code, message } = error as { code?: string; message: string };
          equal(code, 'PROTOCOL');
          ok(message.length < 300 && !message.includes('\n'), message);
          return true;
        },
      );
    });
  }

  it('refuses one with too many entries', async () => {
    const many = Array.from({ length: 11 }, (_, at) => ({ name: `f${at}`, content: '' }));

    await rejects(read(tarOf(many), { maxEntries: 10 }), {
      code: 'PROTOCOL',
      message: /more than 10/,
    });
  });

  it('refuses what is cut, and what is no tar', async () => {
    await rejects(read(tarOf([LAYER]).subarray(0, 5000)), { code: 'PROTOCOL' });
    await rejects(read(Buffer.from('x'.repeat(5000))), { code: 'PROTOCOL', message: /no tar/ });
    await rejects(readEntries({ ...LAYER, size: 8 ** 11 - 1 }), { code: 'PROTOCOL' });
    await rejects(readEntries({ ...LAYER, pax: { size: 'NaN' } }), { code: 'PROTOCOL' });
  });

  it('stops when it is aborted', async () => {
    const abort = AbortSignal.abort();

    await rejects(read(tarOf([LAYER]), { abort }), { code: 'CANCELLED' });
  });
});

describe('bytesOf', () => {
  it('fails when the file has become shorter', async () => {
    await using dir = await tempDir();
    const path = join(dir.path, 'a');
    await writeFile(path, 'short');
    const file = await open(path);
    try {
      const reading = collect(bytesOf(file, { offset: 2, size: 10 }, signal));

      await rejects(reading, { code: 'PROTOCOL', message: /ends too early/ });
    } finally {
      await file.close();
    }
  });
});
