/**
 * The images of a docker-archive, as its manifest.json lists them.
 *
 * Source: Docker Image Specification 1.2, «Combined Image JSON + Filesystem Changeset Format».
 */
import { RegistrySyncError } from '../base/errors.ts';
import { shown } from '../base/shown.ts';
import { isObject } from '../image/descriptor.ts';
import { MAX_MANIFEST_BYTES } from '../image/manifest.ts';
import { bytesOf, indexTar, type TarBytes, type TarFile, type TarIndex } from '../tar/read.ts';
import { parseNamed, type ArchiveLocation } from './location.ts';

/** One image of an archive; `config` and `layers` are names of its entries. */
export interface ArchiveImage {
  readonly config: string;
  /** From the lowest on. */
  readonly layers: readonly string[];
  /** As they are written: `busybox:1`, or in full. */
  readonly tags: readonly string[];
}

/** An archive that was looked through. */
export interface ListedArchive extends TarBytes {
  readonly index: TarIndex;
  readonly images: readonly ArchiveImage[];
}

/** As many as are listed when somebody has to choose. */
const SHOWN_IMAGES = 20;

/** @throws {RegistrySyncError} `PROTOCOL` when it is no docker-archive. */
export async function listImages(archive: TarBytes, signal: AbortSignal): Promise<ListedArchive> {
  const index = await indexTar(archive, signal);
  const entry = index.file('manifest.json');
  if (entry === undefined) {
    const hint =
      index.file('oci-layout') === undefined
        ? 'it has no manifest.json'
        : 'it is an OCI layout without manifest.json: read it with oci-archive:';
    throw new RegistrySyncError('PROTOCOL', `is no docker-archive: ${hint}`);
  }
  const json = parseJson(await readSmall(archive, entry, signal), entry.name);
  const items: unknown[] = Array.isArray(json) ? json : [];
  if (items.length === 0) {
    throw new RegistrySyncError('PROTOCOL', 'is no docker-archive: manifest.json lists no images');
  }
  return { ...archive, index, images: items.map(readImage) };
}

/**
 * The image that is meant; `undefined`: there is none of that name or at that place.
 *
 * @throws {RegistrySyncError} `USAGE` when there are several, and none was chosen.
 */
export function choose(
  images: readonly ArchiveImage[],
  { reference, index }: Pick<ArchiveLocation, 'reference' | 'index'>,
): ArchiveImage | undefined {
  if (index !== undefined) return images[index];
  if (reference !== undefined)
    return images.find(({ tags }) => tags.some((tag) => fullTag(tag) === reference));
  if (images.length === 1) return images[0];
  const message = `holds ${images.length} images, of which one is to be chosen: ${shownImages(images)}`;
  throw new RegistrySyncError('USAGE', message);
}

/** `@0 (docker.io/library/busybox:1), @1 (no tag)` */
export function shownImages(images: readonly ArchiveImage[]): string {
  const all = images
    .slice(0, SHOWN_IMAGES)
    .map(({ tags }, at) => `@${at} (${tags.length === 0 ? 'no tag' : shown(tags.join(', '))})`);
  return images.length > SHOWN_IMAGES ? `${all.join(', ')}, …` : all.join(', ');
}

/** The whole of an entry that is not large. */
export async function readSmall(
  { file }: TarBytes,
  entry: TarFile,
  signal: AbortSignal,
): Promise<Buffer> {
  if (entry.size > MAX_MANIFEST_BYTES) {
    const message = `can't be used: its entry ${JSON.stringify(shown(entry.name))} has ${entry.size} bytes, more than ${MAX_MANIFEST_BYTES}`;
    throw new RegistrySyncError('PROTOCOL', message);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytesOf(file, entry, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** @throws {RegistrySyncError} `PROTOCOL` that names the entry when it is no JSON. */
export function parseJson(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    const message = `can't be used: its entry ${JSON.stringify(shown(name))} is no JSON`;
    throw new RegistrySyncError('PROTOCOL', message, { cause });
  }
}

function readImage(item: unknown, at: number): ArchiveImage {
  const { Config: config, Layers: layers, RepoTags: tags } = isObject(item) ? item : {};
  if (typeof config !== 'string') throw malformed(at, 'no Config');
  return {
    config,
    layers: readNames(layers, at, 'Layers'),
    tags: readNames(tags, at, 'RepoTags'),
  };
}

/** Go tools write `null` for an empty list. */
function readNames(value: unknown, at: number, key: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
  throw malformed(at, `${key} that are no list of names`);
}

/** `docker.io/library/busybox:1`; `undefined` for what is no name, and so can't be asked for. */
function fullTag(text: string): string | undefined {
  try {
    const reference = parseNamed(text);
    if (reference === undefined) return undefined;
    const { registry, path, tag = 'latest' } = reference;
    return `${registry}/${path}:${tag}`;
  } catch {
    return undefined;
  }
}

function malformed(at: number, what: string): RegistrySyncError {
  return new RegistrySyncError(
    'PROTOCOL',
    `can't be used: image @${at} of manifest.json has ${what}`,
  );
}
