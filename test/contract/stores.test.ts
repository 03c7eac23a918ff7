import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { digestOf } from '../../src/image/digest.ts';
import type { ImageSink } from '../../src/image/source-and-sink.ts';
import { createDirSink, createDirSource } from '../../src/store/dir.ts';
import { createArchiveSink, createArchiveSource } from '../../src/store/oci-archive.ts';
import { createLayoutSink, createLayoutSource } from '../../src/store/oci-layout.ts';
import {
  blobName,
  dirFiles,
  layoutFiles,
  readTar,
  REF_NAME,
  tarOfFiles,
  writeFiles,
} from '../support/image-files.ts';
import { tempDir, type TempDir } from '../support/temp-dir.ts';
import { sinkContract, type SinkPlace } from './sink-contract.ts';
import { sourceContract } from './source-contract.ts';

const hexOf = (digest: string): string => digest.slice(digest.indexOf(':') + 1);

/** The bytes of a file of that name, wherever it is; a blob has its name only when it is whole. */
function find(directory: string, name: string): Uint8Array | undefined {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const path = paths.find((one) => basename(one) === name);
  return path === undefined ? undefined : readFileSync(join(directory, path));
}

/** These sinks keep what is put to themselves, so all openings are one. */
function ownPlace(
  temp: TempDir,
  sink: ImageSink,
  tag: SinkPlace['tag'],
  manifest: SinkPlace['manifest'],
): SinkPlace {
  return {
    open: () => sink,
    blob: (digest) => find(temp.path, hexOf(digest)),
    manifest,
    tag,
    async [Symbol.asyncDispose]() {
      await sink[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
}

function nameIn(index: Buffer, tag: string): string | undefined {
  const { manifests } = JSON.parse(index.toString('utf8')) as {
    manifests: { digest: string; annotations?: Record<string, string> }[];
  };
  return manifests.find(({ annotations }) => annotations?.[REF_NAME] === tag)?.digest;
}

sourceContract('dir:', async (held) => {
  const temp = await tempDir();
  await writeFiles(join(temp.path, 'v1'), dirFiles(held));
  return {
    open: (tag = 'v1') => createDirSource({ transport: 'dir', path: join(temp.path, tag) }),
    damage: (digest, bytes) => writeFileSync(join(temp.path, 'v1', hexOf(digest)), bytes),
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
});

for (const isThere of [false, true]) {
  sinkContract(`dir: ${isThere ? 'that is empty' : 'that is absent'}`, async () => {
    const temp = await tempDir();
    const path = join(temp.path, 'v1');
    if (isThere) await mkdir(path);
    const root = join(path, 'manifest.json');
    const tag = (): string | undefined =>
      existsSync(root) ? digestOf(readFileSync(root)) : undefined;
    const manifest = (digest: string): Uint8Array | undefined =>
      tag() === digest ? readFileSync(root) : find(temp.path, `${hexOf(digest)}.manifest.json`);
    return ownPlace(temp, createDirSink({ transport: 'dir', path }), tag, manifest);
  });
}

for (const isShared of [false, true]) {
  const name = `oci:${isShared ? ' with shared blobs' : ''}`;
  const layoutIn = ({ path }: TempDir) => ({
    directory: join(path, 'layout'),
    sharedBlobDir: isShared ? join(path, 'shared') : undefined,
  });
  const blobsIn = ({ path }: TempDir): string => join(path, isShared ? 'shared' : 'layout/blobs');

  sourceContract(name, async (held) => {
    const temp = await tempDir();
    const files = [...layoutFiles([{ image: held, name: 'v1' }])];
    const renamed = files.map(([file, bytes]) => {
      const isBlob = file.startsWith('blobs/');
      return [isBlob && isShared ? file.replace('blobs', '../shared') : file, bytes] as const;
    });
    await writeFiles(join(temp.path, 'layout'), new Map(renamed));
    return {
      open: (tag = 'v1') => createLayoutSource(layoutIn(temp), { label: 'oci:x', name: tag }),
      damage: (digest, bytes) =>
        writeFileSync(join(blobsIn(temp), digest.replace(':', '/')), bytes),
      [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
    };
  });

  sinkContract(name, async () => {
    const temp = await tempDir();
    const blob = (digest: string): Uint8Array | undefined => {
      const path = join(blobsIn(temp), digest.replace(':', '/'));
      return existsSync(path) ? readFileSync(path) : undefined;
    };
    const index = join(temp.path, 'layout/index.json');
    return {
      open: (tag = 'v1') =>
        createLayoutSink(layoutIn(temp), { label: 'oci:x', name: tag, limits: {} }),
      blob,
      manifest: blob,
      tag: (tag) => (existsSync(index) ? nameIn(readFileSync(index), tag) : undefined),
      [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
    };
  });
}

const ARCHIVE = 'archive.tar';

sourceContract('oci-archive:', async (held) => {
  const temp = await tempDir();
  const path = join(temp.path, ARCHIVE);
  const files = layoutFiles([{ image: held, name: 'v1' }]);
  await writeFile(path, tarOfFiles(files));
  const opened: AsyncDisposable[] = [];
  return {
    open(tag = 'v1') {
      const location = { transport: 'oci-archive', path, name: tag } as const;
      const source = createArchiveSource(location, { tmpdir: temp.path });
      opened.push(source);
      return source;
    },
    damage(digest, bytes) {
      writeFileSync(path, tarOfFiles(new Map([...files, [blobName(digest), bytes]])));
    },
    async [Symbol.asyncDispose]() {
      for (const one of opened) await one[Symbol.asyncDispose]();
      await temp[Symbol.asyncDispose]();
    },
  };
});

sinkContract('oci-archive:', async () => {
  const temp = await tempDir();
  const path = join(temp.path, ARCHIVE);
  const sink = createArchiveSink(
    { transport: 'oci-archive', path, name: 'v1' },
    { tmpdir: temp.path },
  );
  const inTar = (name: string): Buffer | undefined =>
    existsSync(path) ? readTar(path).find((file) => file.name === name)?.content : undefined;
  const tag = (name: string): string | undefined => {
    const index = inTar('index.json');
    return index && nameIn(index, name);
  };
  return ownPlace(temp, sink, tag, (digest) => inTar(blobName(digest)));
});
