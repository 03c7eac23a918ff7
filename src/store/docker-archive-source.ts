/**
 * `docker-archive:path[:reference|:@index]` as a source: what `docker save`, podman and skopeo write.
 *
 * Archives have no manifest. One of schema 2 is made up of the config and the plain layers, always the
 * same one for the same archive.
 */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';

import { RegistrySyncError, throwIfAborted, withName } from '../base/errors.ts';
import { shown } from '../base/shown.ts';
import { isObject, type Descriptor } from '../image/descriptor.ts';
import { digestOf, tryParseDigest, type Digest } from '../image/digest.ts';
import { readManifest, type StoredManifest } from '../image/manifest.ts';
import { DOCKER_CONFIG, DOCKER_MANIFEST } from '../image/media-types.ts';
import type { BlobBytes, ImageSource } from '../image/source-and-sink.ts';
import { verified } from '../image/verified.ts';
import { inflated, packingOf } from '../tar/inflate.ts';
import { bytesOf, type TarFile } from '../tar/read.ts';
import { headOf, openArchive, type OpenArchive } from './archive-file.ts';
import {
  choose,
  listImages,
  parseJson,
  readSmall,
  shownImages,
  type ArchiveImage,
  type ListedArchive,
} from './docker-archive-list.ts';
import { formatLocation, type ArchiveLocation } from './location.ts';
import type { StoreSettings } from './open.ts';

/** Of what archives hold: layers that are not compressed. */
const DOCKER_PLAIN_LAYER = 'application/vnd.docker.image.rootfs.diff.tar';

/** A layer that is packed inside of the archive may become so many times its size, and this much. Bytes. */
const UNPACKED_RATIO = 1100;
const UNPACKED_FREE = 64 * 1024 ** 2;

/** An image of the archive with all that is known of it. */
interface Found {
  readonly stored: StoredManifest;
  readonly config: Uint8Array;
  readonly layers: ReadonlyMap<Digest, PlainLayer>;
}

interface PlainLayer {
  /** Not compressed. Bytes. */
  readonly size: number;
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** @throws {RegistrySyncError} `NOT_FOUND` when there is no file; `PROTOCOL` when it can't be used. */
export async function openDockerArchive(
  location: ArchiveLocation,
  { tmpdir }: StoreSettings,
  signal: AbortSignal,
): Promise<ImageSource> {
  const archive = await openArchive(location.path, tmpdir, signal);
  return sourceOf(archive, { ...location, name: formatLocation(location) }, signal);
}

/** Which images an archive holds, and under which names, as they are written there. */
export async function listArchive(
  path: string,
  { tmpdir }: StoreSettings,
  signal: AbortSignal,
): Promise<readonly { readonly index: number; readonly tags: readonly string[] }[]> {
  await using archive = await openArchive(path, tmpdir, signal);
  try {
    const { images } = await listImages(archive, signal);
    return images.map(({ tags }, index) => ({ index, tags }));
  } catch (error) {
    throw withName(error, path);
  }
}

/** The image of an open archive, which is closed with the source, or when it can't be used. */
export async function sourceOf(
  archive: OpenArchive,
  { name, ...wanted }: Pick<ArchiveLocation, 'reference' | 'index'> & { readonly name: string },
  signal: AbortSignal,
): Promise<ImageSource> {
  try {
    const listed = await listImages(archive, signal);
    const image = choose(listed.images, wanted);
    const found = image === undefined ? undefined : await find(listed, image, signal);
    const absent = `is not in the archive, which has ${shownImages(listed.images)}`;
    return new DockerArchiveSource({ name, archive, found, absent });
  } catch (error) {
    await archive[Symbol.asyncDispose]();
    throw withName(error, name);
  }
}

interface Parts {
  readonly name: string;
  readonly archive: OpenArchive;
  readonly found: Found | undefined;
  /** What is said when there is nothing. */
  readonly absent: string;
}

class DockerArchiveSource implements ImageSource {
  readonly name: string;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  async head(signal: AbortSignal): Promise<Descriptor | undefined> {
    throwIfAborted(signal);
    return this.#parts.found?.stored.descriptor;
  }

  async manifest(digest: Digest | 'root', signal: AbortSignal): Promise<StoredManifest> {
    throwIfAborted(signal);
    const { found, absent } = this.#parts;
    if (found === undefined) throw new RegistrySyncError('NOT_FOUND', absent);
    if (digest === 'root' || digest === found.stored.descriptor.digest) return found.stored;
    throw new RegistrySyncError('NOT_FOUND', `no manifest ${digest} in the archive`);
  }

  async blob(target: Descriptor, signal: AbortSignal): Promise<BlobBytes> {
    throwIfAborted(signal);
    const { found } = this.#parts;
    if (found !== undefined && target.digest === digestOf(found.config)) return found.config;
    const layer = found?.layers.get(target.digest);
    if (layer === undefined) {
      throw new RegistrySyncError('NOT_FOUND', `no blob ${target.digest} in the archive`);
    }
    return Readable.from(verified(layer.open(signal), target), { objectMode: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.archive[Symbol.asyncDispose]();
  }
}

async function find(
  archive: ListedArchive,
  image: ArchiveImage,
  signal: AbortSignal,
): Promise<Found> {
  const entry = present(archive.index.file(image.config), image.config);
  const config = await readSmall(archive, entry, signal);
  const diffIds = diffIdsOf(config, image);
  const layers = new Map<Digest, PlainLayer>();
  const known = new Map<number, PlainLayer>(); // links can lead thousands of layers to one packed file
  for (const [at, digest] of diffIds.entries()) {
    const name = image.layers[at] ?? '';
    if (layers.has(digest)) continue;
    const file = present(archive.index.linked(name), name);
    const layer = known.get(file.offset) ?? (await plainLayer(archive.file, file, signal));
    known.set(file.offset, layer);
    layers.set(digest, layer);
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: DOCKER_MANIFEST,
    config: { mediaType: DOCKER_CONFIG, size: config.length, digest: digestOf(config) },
    layers: diffIds.map((digest) => ({
      mediaType: DOCKER_PLAIN_LAYER,
      size: layers.get(digest)?.size,
      digest,
    })),
  };
  const stored = readManifest(Buffer.from(JSON.stringify(manifest)), DOCKER_MANIFEST);
  return { stored, config, layers };
}

/** What the config says the layers are when they are not compressed. */
function diffIdsOf(config: Uint8Array, { config: name, layers }: ArchiveImage): readonly Digest[] {
  const json = parseJson(config, name);
  const rootfs = isObject(json) ? json.rootfs : undefined;
  const listed: unknown = isObject(rootfs) ? (rootfs.diff_ids ?? []) : undefined;
  if (!Array.isArray(listed)) throw unusable(`${quoted(name)} has no rootfs.diff_ids`);
  const diffIds = listed.map((text) =>
    typeof text === 'string' ? tryParseDigest(text) : undefined,
  );
  if (diffIds.length !== layers.length) {
    const counts = `${layers.length} layers in manifest.json, and ${diffIds.length} in its config`;
    throw unusable(`the image has ${counts}`);
  }
  return diffIds.map((digest, at) => {
    if (digest !== undefined) return digest;
    throw unusable(`rootfs.diff_ids[${at}] of ${quoted(name)} is no digest`);
  });
}

/** Some tools put layers into archives as they are in registries. */
async function plainLayer(
  file: FileHandle,
  entry: TarFile,
  signal: AbortSignal,
): Promise<PlainLayer> {
  const packing = packingOf(await headOf({ file, size: entry.size }, entry.offset));
  if (packing === undefined) {
    return { size: entry.size, open: (abort) => bytesOf(file, entry, abort) };
  }
  const limit = UNPACKED_FREE + UNPACKED_RATIO * entry.size;
  const open = (abort: AbortSignal): AsyncIterable<Uint8Array> =>
    inflated(bytesOf(file, entry, abort), packing, limit);
  let size = 0;
  try {
    for await (const chunk of open(signal)) size += chunk.byteLength;
  } catch (error) {
    throw withName(error, `layer ${shown(entry.name)}`);
  }
  return { size, open };
}

function present(entry: TarFile | undefined, name: string): TarFile {
  if (entry === undefined) throw unusable(`${quoted(name)} is listed in manifest.json but absent`);
  return entry;
}

function quoted(name: string): string {
  return JSON.stringify(shown(name, 100));
}

function unusable(what: string): RegistrySyncError {
  return new RegistrySyncError('PROTOCOL', `can't be used: ${what}`);
}
