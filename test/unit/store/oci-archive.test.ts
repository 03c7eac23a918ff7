import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';

import type { RegistrySyncError } from '../../../src/base/errors.ts';
import {
  createArchiveSink,
  createArchiveSource,
  ociArchiveStore,
} from '../../../src/store/oci-archive.ts';
import { copyImage, sourceOf } from '../../support/copy-image.ts';
import { blobName, layoutFiles, readTar, tarOf, tarOfFiles } from '../../support/image-files.ts';
import { image, index } from '../../support/images.ts';
import { MemoryRepository } from '../../support/memory-image.ts';
import { tempDir, type TempDir } from '../../support/temp-dir.ts';

const { signal: NEVER } = new AbortController();
const A = image({ seed: 'a', layerBytes: 200_000 });
const LIST = index([{ image: A }, { image: image({ seed: 'b' }) }]);
const FILES = layoutFiles([{ image: LIST, name: 'v1' }]);
const ENTRIES = [...FILES].map(([name, content]) => ({ name, content }));
const at = (path: string, name?: string) =>
  ({ transport: 'oci-archive', path, ...(name !== undefined && { name }) }) as const;

interface Place extends AsyncDisposable {
  readonly path: string;
  readonly tmpdir: string;
  readonly temp: TempDir;
}

async function place(bytes?: Buffer): Promise<Place> {
  const temp = await tempDir();
  const tmpdir = join(temp.path, 'tmp');
  await mkdir(tmpdir);
  const path = join(temp.path, 'archive.tar');
  if (bytes !== undefined) await writeFile(path, bytes);
  return { path, tmpdir, temp, [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose]() };
}

async function read({ path, tmpdir }: Place): Promise<string | undefined> {
  const repository = new MemoryRepository();
  await copyImage(createArchiveSource(at(path), { tmpdir }), repository.sink('v1'));
  return repository.tags.get('v1');
}

describe('the source of oci-archive:', () => {
  const archives: readonly [string, Buffer][] = [
    ['in skopeo’s order, index.json last', tarOf(ENTRIES.toReversed())],
    ['with ./ before each name', tarOf(ENTRIES.map((e) => ({ ...e, name: `./${e.name}` })))],
    ['in a gzip', gzipSync(tarOfFiles(FILES))],
    [
      'with directories and files of other formats',
      tarOf([
        { name: './', type: '5' },
        { name: 'blobs/', type: '5' },
        { name: 'blobs/sha256/', type: '5' },
        { name: 'manifest.json', content: Buffer.from('[]') },
        { name: 'blobs/sha256/no-digest', content: Buffer.from('x') },
        ...ENTRIES,
      ]),
    ],
  ];
  for (const [what, bytes] of archives) {
    it(`reads one ${what}`, async () => {
      await using archive = await place(bytes);

      equal(await read(archive), LIST.root.digest);
      deepEqual(readdirSync(archive.tmpdir), []);
    });
  }

  it('reads what GNU tar writes', async () => {
    await using archive = await place();
    const { path, tmpdir } = archive;
    await copyImage(sourceOf(LIST), createArchiveSink(at(path, 'v1'), { tmpdir }));
    const unpacked = join(archive.temp.path, 'unpacked');
    await mkdir(unpacked);
    execFileSync('tar', ['-C', unpacked, '-xf', path]);
    execFileSync('tar', ['-C', unpacked, '--format=pax', '-czf', path, '.']);

    equal(await read(archive), LIST.root.digest);
  });
});

describe('the temporary directory of oci-archive:', () => {
  it('is unpacked into once, and only its user can read it', async () => {
    await using archive = await place(tarOfFiles(FILES));
    const source = createArchiveSource(at(archive.path), { tmpdir: archive.tmpdir });

    await source.head(NEVER);
    await source.manifest('root', NEVER);

    const listed = execFileSync('ls', ['-l', archive.tmpdir], { encoding: 'utf8' });
    match(listed, /^total \d+\ndrwx------ .*\n$/);
    await source[Symbol.asyncDispose]();
    deepEqual(readdirSync(archive.tmpdir), []);
  });

  it('is not needed where there is nothing', async () => {
    await using archive = await place();
    const source = createArchiveSource(at(archive.path), { tmpdir: archive.tmpdir });

    equal(await source.head(NEVER), undefined);
    await rejects(source.manifest('root', NEVER), {
      code: 'NOT_FOUND',
      message: `can't read ${archive.path}: there is no such file or directory`,
    });
    deepEqual(readdirSync(archive.tmpdir), []);
  });

  it('is gone when the reading is stopped', async () => {
    await using archive = await place(tarOfFiles(FILES));
    const source = createArchiveSource(at(archive.path), { tmpdir: archive.tmpdir });
    const stopping = new AbortController();

    const reading = source.manifest('root', stopping.signal);
    stopping.abort();

    await rejects(reading, { code: 'CANCELLED' });
    deepEqual(readdirSync(archive.tmpdir), []);
    equal((await source.manifest('root', NEVER)).descriptor.digest, LIST.root.digest);
    await source[Symbol.asyncDispose]();
  });
});

/** A pax header that says something of the entry after it. */
function pax(key: string, value: string): { name: string; type: string; content: Buffer } {
  const tail = ` ${key}=${value}\n`;
  const length = [1, 2, 3]
    .map((digits) => tail.length + digits)
    .find((n) => `${n}`.length + tail.length === n);
  return { name: 'PaxHeader', type: 'x', content: Buffer.from(`${length}${tail}`) };
}

const EVIL = Buffer.from('evil');
const BLOB = blobName(A.root.digest);
const INDEX = ENTRIES.find(({ name }) => name === 'index.json');
const OTHERS = ENTRIES.filter(({ name }) => name !== BLOB);

it('a blob that is missing or damaged is said to be of the archive, not of a temporary file', async () => {
  const layer = A.blobs.toSorted((a, b) => b.bytes.length - a.bytes.length)[0]!;
  const name = blobName(layer.digest);
  const damaged = { name, content: Buffer.alloc(layer.bytes.length) };
  const others = ENTRIES.filter((entry) => entry.name !== name);
  const cases = [
    ['NOT_FOUND', others],
    ['CONTENT_MISMATCH', [...others, damaged]],
  ] as const;
  for (const [code, entries] of cases) {
    await using archive = await place(tarOf(entries));

    await rejects(read(archive), (error: Error) => {
      equal(error.message.includes(`${archive.path}: ${name}`), true);
      equal(error.message.includes(archive.tmpdir), false);
      const { code: kind, details } = error as RegistrySyncError;
      return deepEqual([kind, details.side], [code, 'source']) === undefined;
    });
  }
});

const HOSTILE: readonly [string, readonly Parameters<typeof tarOf>[0][number][]][] = [
  ['climbs out of its directory', [{ name: '../evil', content: EVIL }]],
  ['climbs out within a name', [{ name: 'blobs/sha256/../../../evil', content: EVIL }]],
  ['climbs out by a pax header', [pax('path', '../evil'), { name: 'x', content: EVIL }]],
  ['has an absolute name', [{ name: '/tmp/registry-sync-evil', content: EVIL }]],
  ['has names of Windows', [{ name: 'blobs\\..\\..\\evil', content: EVIL }]],
  ['has a drive', [{ name: 'C:evil', content: EVIL }]],
  ['has a link for a blob', [{ name: BLOB, type: '2', linkName: '/etc/passwd' }]],
  ['has a hard link for a blob', [{ name: BLOB, type: '1', linkName: '/etc/passwd' }]],
  ['has a hard link within', [{ name: BLOB, type: '1', linkName: 'index.json' }]],
  [
    'writes through a link',
    [
      { name: 'blobs', type: '2', linkName: '..' },
      { name: BLOB, content: EVIL },
    ],
  ],
  [
    'writes through a chain of links',
    [
      { name: 'a', type: '2', linkName: '..' },
      { name: 'blobs', type: '2', linkName: 'a/..' },
      { name: BLOB, content: EVIL },
    ],
  ],
  ['has a device', [{ name: BLOB, type: '3' }]],
  ['has a block device', [{ name: BLOB, type: '4' }]],
  ['has a pipe', [{ name: BLOB, type: '6' }]],
  ['has a contiguous file', [{ name: BLOB, type: '7', content: EVIL }]],
  ['has a sparse file', [{ name: BLOB, type: 'S', content: EVIL }]],
  ['has a sparse file of pax', [pax('GNU.sparse.size', '1000'), { name: BLOB, content: EVIL }]],
  ['has a file of a type that nobody knows', [{ name: BLOB, type: 'Z', content: EVIL }]],
  ['has a directory where a file belongs', [{ name: 'index.json/', type: '5' }]],
  ['has a name twice', [INDEX!]],
  ['has a name twice, written otherwise', [{ ...INDEX!, name: './index.json' }]],
  ['has a blob twice', [ENTRIES.find(({ name }) => name === blobName(LIST.root.digest))!]],
  ['says that a file is larger than it is', [{ name: BLOB, content: EVIL, size: 10 ** 9 }]],
  ['has a size below zero', [pax('size', '-1'), { name: BLOB, content: EVIL }]],
  [
    'has an endless index.json',
    [{ name: 'oci-layout', content: Buffer.alloc(4 * 1024 * 1024 + 1, ' ') }],
  ],
];

describe('a hostile archive', () => {
  for (const [what, entries] of HOSTILE) {
    it(`that ${what} is refused, and nothing is written`, async () => {
      const isLayout = entries.some(({ name }) => name === 'oci-layout');
      const rest = isLayout ? OTHERS.filter(({ name }) => name !== 'oci-layout') : OTHERS;
      for (const order of [
        [...rest, ...entries],
        [...entries, ...rest],
      ]) {
        await using archive = await place(tarOf(order));

        await rejects(read(archive), (error: Error & { code?: string }) => {
          match(
            error.message,
            /: it is not used$|is no readable tar archive|of more than \d+ bytes$/,
          );
          return error.code === 'PROTOCOL';
        });

        deepEqual(readdirSync(archive.temp.path).toSorted(), ['archive.tar', 'tmp']);
        deepEqual(readdirSync(archive.tmpdir), []);
      }
    });
  }
});

describe('an archive that is too much', () => {
  async function refused(bytes: Buffer, expected: RegExp): Promise<void> {
    await using archive = await place(bytes);
    await rejects(read(archive), (error: Error & { code?: string }) => {
      match(error.message, expected);
      return error.code === 'PROTOCOL';
    });
    deepEqual(readdirSync(archive.tmpdir), []);
  }

  it('grows a thousandfold', async () => {
    const zeros = gzipSync(Buffer.alloc(1024 * 1024)); // members of a gzip follow one another
    const size = 150 * 1024 * 1024;
    const head = tarOf([{ name: BLOB, size }]).subarray(0, 512);

    await refused(
      Buffer.concat([gzipSync(head), ...Array.from({ length: 150 }, () => zeros)]),
      /grows more than 200 times/,
    );
  });

  it('ends never', async () => {
    const zeros = gzipSync(Buffer.alloc(1024 * 1024));

    await refused(
      Buffer.concat([gzipSync(tarOfFiles(FILES)), zeros, zeros, zeros, zeros]),
      /bytes that are no entry/,
    );
  });

  it('has too many entries', async () => {
    const entry = tarOf([{ name: 'x/', type: '5' }]).subarray(0, 512);

    await refused(Buffer.alloc(512 * 50_001, entry), /has more than 50000 entries/);
  });
});

describe('an archive that is none', () => {
  const none: readonly [string, Buffer, string, RegExp][] = [
    ['text', Buffer.from('no archive at all\n'.repeat(100)), 'PROTOCOL', /no readable tar archive/],
    ['empty', Buffer.alloc(0), 'PROTOCOL', /has no index\.json/],
    ['an empty tar', Buffer.alloc(1024), 'PROTOCOL', /has no index\.json/],
    ['cut', tarOfFiles(FILES).subarray(0, 3000), 'PROTOCOL', /no readable tar archive/],
    ['a cut gzip', gzipSync(tarOfFiles(FILES)).subarray(0, 3000), 'PROTOCOL', /no readable tar/],
    ['a zstd', Buffer.from('28b52ffd00', 'hex'), 'UNSUPPORTED', /zstd/],
    ['an xz', Buffer.from('fd377a585a00', 'hex'), 'UNSUPPORTED', /xz/],
  ];
  for (const [what, bytes, code, expected] of none) {
    it(`is said to be so: ${what}`, async () => {
      await using archive = await place(bytes);

      await rejects(read(archive), (error: Error & { code?: string }) => {
        match(error.message, expected);
        match(error.message, /archive\.tar/);
        equal(error.message.includes('\n'), false);
        return error.code === code;
      });
      deepEqual(readdirSync(archive.tmpdir), []);
    });
  }
});

describe('the sink of oci-archive:', () => {
  it('writes the same bytes for the same image, in a fixed order', async () => {
    await using archive = await place();
    const { tmpdir, temp } = archive;
    const paths = ['1.tar', '2.tar'].map((name) => join(temp.path, 'deep', name));

    for (const path of paths) {
      await copyImage(sourceOf(LIST), createArchiveSink(at(path, 'v1'), { tmpdir }));
    }

    const [first, second] = paths.map((path) => readFileSync(path));
    equal(first?.equals(second!), true);
    const files = readTar(paths[0]!);
    const blobs = files.map(({ name }) => name).slice(4);
    deepEqual(
      files.slice(0, 4).map(({ name, type, mode }) => [name, type, mode.toString(8)]),
      [
        ['oci-layout', '0', '644'],
        ['index.json', '0', '644'],
        ['blobs/', '5', '755'],
        ['blobs/sha256/', '5', '755'],
      ],
    );
    deepEqual(blobs, [...FILES.keys()].filter((name) => name.startsWith('blobs')).toSorted());
    deepEqual(new Set(files.map(({ mtime }) => mtime)), new Set([0]));
    deepEqual(readdirSync(tmpdir), []);
  });

  it('replaces an archive, and only by a whole one', async () => {
    await using archive = await place(Buffer.from('before'));
    const { path, tmpdir, temp } = archive;
    const repository = new MemoryRepository().hold('v1', A);
    repository.trouble = (call) => {
      if (call.startsWith('blob')) throw new Error('broken');
    };

    const broken = copyImage(
      repository.source('v1'),
      createArchiveSink(at(path, 'v1'), { tmpdir }),
    );
    await rejects(broken, { message: 'broken' });
    equal(readFileSync(path, 'utf8'), 'before');
    deepEqual(readdirSync(tmpdir), []);
    await copyImage(sourceOf(LIST), createArchiveSink(at(path, 'v1'), { tmpdir }));

    equal(await read(archive), LIST.root.digest);
    deepEqual(readdirSync(temp.path).toSorted(), ['archive.tar', 'tmp']);
  });

  it('refuses a directory and a number', async () => {
    await using archive = await place();
    const { tmpdir } = archive;
    const settings = { tmpdir, env: {} };

    const onto = copyImage(sourceOf(A), createArchiveSink(at(tmpdir), { tmpdir }));
    await rejects(onto, { code: 'USAGE' });
    const numbered = ociArchiveStore.sink({ ...at('x'), index: 1 }, settings, NEVER);
    await rejects(numbered, { code: 'USAGE' });
    deepEqual(readdirSync(tmpdir), []);
  });
});

it('goes through a pipe, which stays one', async () => {
  await using here = await place();
  execFileSync('mkfifo', [here.path]);
  const bytes = readFile(here.path);
  await copyImage(sourceOf(A), createArchiveSink(at(here.path), here));
  equal((await bytes).subarray(257, 262).toString(), 'ustar');
  equal(lstatSync(here.path).isFIFO(), true);
});
