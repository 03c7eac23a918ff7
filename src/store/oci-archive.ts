/**
 * `oci-archive:path[:name|@index]`: an OCI layout in a tar. It is unpacked to be read, and packed when
 * it is whole, in a directory of its own that is gone when the image is disposed of.
 *
 * Source: containers-transports(5).
 */
import { constants, createReadStream } from 'node:fs';
import {
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  rename,
  rm,
  stat,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { algorithmOf, hexOf } from '../image/digest.ts';
import { MAX_MANIFEST_BYTES } from '../image/manifest.ts';
import type { ImageSink, ImageSource } from '../image/source-and-sink.ts';
import { layoutEntries, type LayoutEntry, type LayoutName } from '../tar/layout-read.ts';
import { packLayout, type PackedEntry } from '../tar/layout-write.ts';
import { writeAll } from './blob-file.ts';
import { makeDirectory, syncDirectory, temporaryIn } from '../files/directory.ts';
import { isAbsent, reading, unexpected, writing } from '../files/file-failure.ts';
import type { OciLocation } from './location.ts';
import {
  createLayoutSink,
  createLayoutSource,
  imageOf,
  indexInTarget,
  limitsOf,
} from './oci-layout.ts';
import type { Store, StoreSettings } from './open.ts';

export const ociArchiveStore: Store<OciLocation> = {
  source: async (location, settings) => createArchiveSource(location, settings),
  async sink(location, settings) {
    if (location.index !== undefined) throw indexInTarget(location);
    return createArchiveSink(location, settings);
  },
};

export function createArchiveSource(
  location: OciLocation,
  { tmpdir }: Pick<StoreSettings, 'tmpdir'>,
): ImageSource {
  const image = imageOf(location);
  const place = new PrivateDirectory(tmpdir);
  let unpacked: Promise<ImageSource> | undefined;
  const unpack = async (signal: AbortSignal): Promise<ImageSource> => {
    const directory = await place.create();
    try {
      await unpackLayout(location.path, directory, signal);
      return createLayoutSource({ directory, shownAs: location.path }, image);
    } catch (error) {
      unpacked = undefined;
      await place.remove();
      throw error;
    }
  };
  const source = (signal: AbortSignal): Promise<ImageSource> => {
    throwIfAborted(signal);
    return (unpacked ??= unpack(signal));
  };
  return {
    name: image.label,
    async head(signal) {
      throwIfAborted(signal);
      if (!(await isThere(location.path))) return undefined;
      return (await source(signal)).head(signal);
    },
    manifest: async (digest, signal) => (await source(signal)).manifest(digest, signal),
    blob: async (target, signal) => (await source(signal)).blob(target, signal),
    async [Symbol.asyncDispose]() {
      await unpacked?.catch(() => {});
      await place.remove();
    },
  };
}

/** An archive is written anew as a whole; what was there of that name is replaced. */
export function createArchiveSink(
  location: OciLocation,
  settings: Pick<StoreSettings, 'tmpdir' | 'acceptUncompressedLayers'>,
): ImageSink {
  const image = { ...imageOf(location), limits: limitsOf(settings) };
  const place = new PrivateDirectory(settings.tmpdir);
  let root: Descriptor | undefined;
  const sink = async (): Promise<ImageSink> =>
    createLayoutSink({ directory: await place.create() }, image);
  return {
    name: image.label,
    limits: image.limits,
    async head(signal) {
      throwIfAborted(signal);
      return root;
    },
    putBlob: async (target, openBlob, signal) => {
      throwIfAborted(signal);
      return (await sink()).putBlob(target, openBlob, signal);
    },
    async putManifest(stored, as, signal) {
      throwIfAborted(signal);
      await (await sink()).putManifest(stored, as, signal);
      if (as === 'child') return;
      await writeArchive(location.path, await place.create(), signal);
      root = stored.descriptor;
    },
    [Symbol.asyncDispose]: () => place.remove(),
  };
}

/** A directory that only this user can read. */
class PrivateDirectory {
  readonly #parent: string;
  #directory: Promise<string> | undefined;

  constructor(parent: string) {
    this.#parent = parent;
  }

  /** Makes it, once. */
  create(): Promise<string> {
    this.#directory ??= writing(this.#parent, () => mkdtemp(join(this.#parent, 'registry-sync-')));
    return this.#directory;
  }

  async remove(): Promise<void> {
    const directory = await this.#directory?.catch(() => undefined);
    this.#directory = undefined;
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }
}

async function isThere(path: string): Promise<boolean> {
  return reading(path, async () => {
    try {
      await lstat(path);
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  });
}

async function unpackLayout(path: string, directory: string, signal: AbortSignal): Promise<void> {
  await reading(path, async () => {
    await mkdir(join(directory, 'blobs'));
    let hasIndex = false;
    for await (const entry of layoutEntries(path, signal)) {
      if (entry.name.kind !== 'blob' && entry.size > MAX_MANIFEST_BYTES) {
        throw unexpected(
          path,
          `has an ${entry.name.kind} of more than ${MAX_MANIFEST_BYTES} bytes`,
        );
      }
      hasIndex ||= entry.name.kind === 'index.json';
      await unpackEntry(join(directory, fileOf(entry.name)), entry, signal);
    }
    if (hasIndex) return;
    throw unexpected(
      path,
      'is no OCI archive: it has no index.json (docker-archive: reads what «docker save» wrote)',
    );
  });
}

function fileOf(name: LayoutName): string {
  if (name.kind !== 'blob') return name.kind;
  return join('blobs', algorithmOf(name.digest), hexOf(name.digest));
}

/** Into a directory that nobody else can write, where nothing is of that name. */
async function unpackEntry(
  file: string,
  { body }: LayoutEntry,
  signal: AbortSignal,
): Promise<void> {
  await writing(file, async () => {
    await makeDirectory(dirname(file));
    const handle = await open(file, 'wx', 0o600);
    try {
      for await (const chunk of body) {
        throwIfAborted(signal);
        await writeAll(handle, chunk);
      }
    } finally {
      await handle.close();
    }
  });
}

async function writeArchive(path: string, directory: string, signal: AbortSignal): Promise<void> {
  const target = resolve(path);
  const temporary = temporaryIn(dirname(target));
  const entries = await entriesOf(directory);
  await writing(path, async () => {
    if (await isWrittenThrough(target)) {
      await using handle = await open(target, constants.O_WRONLY);
      await writeTar(handle, entries, signal);
      return;
    }
    await makeDirectory(dirname(target));
    try {
      const handle = await open(temporary, 'wx', 0o644);
      try {
        await writeTar(handle, entries, signal);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, target);
    } finally {
      await rm(temporary, { force: true });
    }
    await syncDirectory(dirname(target));
  });
}

/** A pipe or a device gets the archive; a file of its name would take its place (`/dev/stdout`, as root). */
async function isWrittenThrough(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) {
    const message = `can't write the archive ${path}: it is a directory (oci: writes into one)`;
    throw new RegistrySyncError('USAGE', message);
  }
  return found !== undefined && !found.isFile();
}

async function writeTar(
  handle: FileHandle,
  entries: readonly PackedEntry[],
  signal: AbortSignal,
): Promise<void> {
  for await (const chunk of packLayout(entries)) {
    throwIfAborted(signal);
    await writeAll(handle, chunk);
  }
}

/** What says what is in it comes first. */
async function entriesOf(directory: string): Promise<PackedEntry[]> {
  const entries = [
    await fileEntry(directory, 'oci-layout'),
    await fileEntry(directory, 'index.json'),
    { name: 'blobs/' },
  ];
  for (const algorithm of (await readdir(join(directory, 'blobs'))).toSorted()) {
    entries.push({ name: `blobs/${algorithm}/` });
    for (const hex of (await readdir(join(directory, 'blobs', algorithm))).toSorted()) {
      entries.push(await fileEntry(directory, `blobs/${algorithm}/${hex}`));
    }
  }
  return entries;
}

async function fileEntry(directory: string, name: string): Promise<PackedEntry> {
  const path = join(directory, name);
  const { size } = await lstat(path);
  return { name, size, open: () => createReadStream(path) };
}
