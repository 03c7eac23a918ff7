/**
 * `dir:path`: one image in a directory, all of its files side by side.
 *
 * Source: containers-transports(5); what skopeo writes and reads.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { isError, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { algorithmOf, hexOf, type Digest } from '../image/digest.ts';
import { MAX_MANIFEST_BYTES, readManifest, type StoredManifest } from '../image/manifest.ts';
import { digestOfManifest, UNKNOWN_SIZE } from '../image/schema1.ts';
import type { ImageSink, ImageSource } from '../image/source-and-sink.ts';
import {
  isBlobFile,
  readBlobFile,
  readSmallFile,
  sizeOfBlobFile,
  writeBlobFile,
  writeWhole,
} from './blob-file.ts';
import { checkedManifest, requireBlobs } from './content.ts';
import {
  isTemporary,
  makeDirectory,
  removeStale,
  syncDirectory,
  temporaryIn,
} from '../files/directory.ts';
import { hasCode, writing } from '../files/file-failure.ts';
import { formatLocation, type Location } from './location.ts';
import type { Store } from './open.ts';

type DirLocation = Extract<Location, { transport: 'dir' }>;

const MANIFEST = 'manifest.json';
const VERSION = 'version';
const KNOWN_VERSION = /^Directory Transport Version: 1\.\d+\s*$/;
const MAX_VERSION_BYTES = 1024;
/** Files of the format; others are not ours to delete. */
const OWN_FILE =
  /^(?:version|manifest\.json|signature-\d+|(?:[a-z0-9]+-)?[0-9a-f]{64,128}(?:\.manifest\.json|\.signature-\d+)?)$/;

export const dirStore: Store<DirLocation> = {
  source: async (location) => createDirSource(location),
  async sink(location) {
    await stateOf(location.path);
    return createDirSink(location);
  },
};

export function createDirSource(location: DirLocation): ImageSource {
  const { path } = location;
  return {
    name: formatLocation(location),
    async head(signal) {
      throwIfAborted(signal);
      return (await readRoot(path))?.descriptor;
    },
    async manifest(digest, signal) {
      throwIfAborted(signal);
      const found = digest === 'root' ? await readRoot(path) : await readChild(path, digest);
      if (found !== undefined) return found;
      const what = digest === 'root' ? `no ${MANIFEST}` : `no manifest ${digest}`;
      throw new RegistrySyncError('NOT_FOUND', `${path} has ${what}`);
    },
    async blob(target, signal) {
      throwIfAborted(signal);
      return readBlobFile(await blobFile(path, target), target, signal);
    },
    async blobSize(digest, signal) {
      throwIfAborted(signal);
      const file = await blobFile(path, { digest, size: UNKNOWN_SIZE });
      return sizeOfBlobFile(file);
    },
    async [Symbol.asyncDispose]() {
      // Files are closed by whoever reads them.
    },
  };
}

/** Everything is written beside what is there, and takes its place with the root. */
export function createDirSink(location: DirLocation): ImageSink {
  const { path } = location;
  const name = formatLocation(location);
  const staging = new Staging(path);
  return {
    name,
    async head(signal) {
      throwIfAborted(signal);
      return (await stateOf(path)) === 'image' ? (await readRoot(path))?.descriptor : undefined;
    },
    async putBlob(target, open, signal) {
      throwIfAborted(signal);
      const file = await staging.file(fileNameOf(target.digest));
      if (await isBlobFile(file, target.size)) return 'present';
      await writeBlobFile(file, target, await open(), signal);
      return 'copied';
    },
    async putManifest(stored, as, signal) {
      throwIfAborted(signal);
      await requireBlobs(stored, name, async ({ digest, size }) =>
        isBlobFile(await staging.file(fileNameOf(digest)), size),
      );
      if (as === 'child') {
        const file = await staging.file(`${fileNameOf(stored.descriptor.digest)}.manifest.json`);
        await writeWhole(file, stored.bytes);
      } else await staging.commit(stored);
    },
    [Symbol.asyncDispose]: () => staging.remove(),
  };
}

/** A directory in which an image becomes whole. */
class Staging {
  readonly #path: string;
  #directory: Promise<string> | undefined;
  #isPlain = true;

  constructor(path: string) {
    this.#path = resolve(path);
  }

  /** The path of a file of that name. */
  async file(name: string): Promise<string> {
    this.#directory ??= this.#create();
    if (/^(?!sha256-)[a-z0-9]+-/.test(name)) this.#isPlain = false;
    return join(await this.#directory, name);
  }

  /** Makes it the image of the path. */
  async commit(root: StoredManifest): Promise<void> {
    const version = await this.file(VERSION);
    const text = `Directory Transport Version: ${this.#isPlain ? '1.1' : '1.2'}\n`;
    await writeWhole(version, Buffer.from(text));
    await writeWhole(await this.file(MANIFEST), root.bytes);
    const directory = dirname(version);
    await writing(this.#path, async () => {
      if (dirname(directory) === this.#path) await replaceContent(this.#path, directory);
      else await rename(directory, this.#path);
      await syncDirectory(dirname(directory));
    });
    this.#directory = undefined;
  }

  async remove(): Promise<void> {
    const directory = await this.#directory?.catch(() => undefined);
    this.#directory = undefined;
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }

  /**
   * Beside a path that is not there yet, so that it can take its name; else in the directory, which
   * may be a mount point, have an owner and a mode, or be where a shell stands.
   */
  async #create(): Promise<string> {
    const parent = (await stateOf(this.#path)) === 'absent' ? dirname(this.#path) : this.#path;
    return writing(this.#path, async () => {
      await makeDirectory(parent);
      if (parent === this.#path) await removeStale(parent);
      const directory = temporaryIn(parent);
      await mkdir(directory);
      return directory;
    });
  }
}

/** The old image goes, its manifest first; the new one comes, its manifest last. */
async function replaceContent(path: string, directory: string): Promise<void> {
  await rm(join(path, MANIFEST), { force: true });
  const old = (await readdir(path)).filter((name) => name !== VERSION && OWN_FILE.test(name));
  for (const name of old) await rm(join(path, name), { force: true });
  const fresh = (await readdir(directory)).filter((name) => name !== MANIFEST);
  // The version first: what a kill leaves can be recognised and written over.
  fresh.sort((a, b) => Number(b === VERSION) - Number(a === VERSION));
  for (const name of fresh) await rename(join(directory, name), join(path, name));
  await syncDirectory(path);
  await rename(join(directory, MANIFEST), join(path, MANIFEST));
  await rm(directory, { recursive: true, force: true });
}

/**
 * What is at a path that is to be written.
 *
 * @throws {RegistrySyncError} `USAGE` when it is something else than an image, which is not deleted.
 */
async function stateOf(path: string): Promise<'absent' | 'empty' | 'image'> {
  const names = await writing(path, async () => {
    try {
      return await readdir(path);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  });
  if (names === undefined) return 'absent';
  if (names.every(isTemporary)) return 'empty';
  if (names.includes(VERSION) && (await isKnownVersion(path))) return 'image';
  const message = `dir:${path} is not written: the directory is not empty and holds no image that a dir: wrote: name another one`;
  throw new RegistrySyncError('USAGE', message);
}

async function isKnownVersion(path: string): Promise<boolean> {
  const bytes = await readSmallFile(join(path, VERSION), MAX_VERSION_BYTES);
  return KNOWN_VERSION.test(Buffer.from(bytes).toString('latin1'));
}

async function readRoot(path: string): Promise<StoredManifest | undefined> {
  const bytes = await readIfThere(join(path, MANIFEST));
  return bytes && readManifest(bytes, undefined);
}

/** Older writers leave the algorithm out of every name. */
async function blobFile(
  path: string,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
): Promise<string> {
  const file = join(path, fileNameOf(digest));
  const older = join(path, hexOf(digest));
  return file !== older && (await isBlobFile(older, size)) ? older : file;
}

/** A manifest by its digest; the root too has one. */
async function readChild(path: string, digest: Digest): Promise<StoredManifest | undefined> {
  const names = new Set([`${fileNameOf(digest)}.manifest.json`, `${hexOf(digest)}.manifest.json`]);
  for (const name of names) {
    const where = join(path, name);
    const bytes = await readIfThere(where);
    if (bytes !== undefined) return checkedManifest(bytes, { digest, where });
  }
  const root = await readIfThere(join(path, MANIFEST));
  const algorithm = algorithmOf(digest);
  if (root === undefined || digestOfManifest(root, algorithm) !== digest) return undefined;
  return readManifest(root, undefined, algorithm);
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readSmallFile(path, MAX_MANIFEST_BYTES);
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** Only sha256 goes without saying. */
function fileNameOf(digest: Digest): string {
  const algorithm = algorithmOf(digest);
  return algorithm === 'sha256' ? hexOf(digest) : `${algorithm}-${hexOf(digest)}`;
}
