/** What a copy will do, as data: read from the source, nothing yet done. */
import { allOrNone } from '../base/concurrent.ts';
import { RegistrySyncError } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import { childrenOf, type StoredManifest } from '../image/manifest.ts';
import { isForeign, kindOfMediaType } from '../image/media-types.ts';
import { UNKNOWN_SIZE } from '../image/schema1.ts';
import type { ImageSource } from '../image/source-and-sink.ts';

export interface CopyPlan {
  readonly root: StoredManifest;
  /** All but the root, children before their parents; those at one place of the list need each other not. */
  readonly children: readonly (readonly StoredManifest[])[];
  /** Each once, largest first. */
  readonly blobs: readonly Descriptor[];
}

const MAX_DEPTH = 6; // an index of indexes of … deeper than any tool writes
const MAX_MANIFESTS = 10_000;
/** Of one image's manifests, which are held until it is copied: a thousand times what is usual. Bytes. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Reads all manifests below `root`. */
export async function planCopy(
  source: ImageSource,
  root: StoredManifest,
  signal: AbortSignal,
): Promise<CopyPlan> {
  const read: ReadManifest = ({ digest }, all) => source.manifest(digest, all);
  const manifests = await readTree(root, read, signal);
  const blobs = await sized(source, blobsOf(manifests), signal);
  return { root, children: inOrder(manifests).slice(0, -1), blobs };
}

/** Gives a manifest that an index lists; `undefined`: the tree is read without it. */
export type ReadManifest = (
  listed: Descriptor,
  signal: AbortSignal,
) => Promise<StoredManifest | undefined>;

/**
 * `root` and all manifests below it, each once. Those of one level are read at the same time.
 *
 * @throws {RegistrySyncError} `PROTOCOL` when they are more, larger or deeper than those of any image.
 */
export async function readTree(
  root: StoredManifest,
  read: ReadManifest,
  signal: AbortSignal,
): Promise<StoredManifest[]> {
  const seen = new Set<Digest>([root.descriptor.digest]);
  const manifests: StoredManifest[] = [];
  let depth = 0;
  let bytes = 0;
  const held = { bytes: 0 };
  for (let level = [root]; level.length > 0; depth += 1) {
    if (depth >= MAX_DEPTH) {
      throw new RegistrySyncError('PROTOCOL', `index is nested deeper than ${MAX_DEPTH} levels`);
    }
    manifests.push(...level);
    const next = level
      .flatMap(manifestsOf)
      .filter(({ digest }) => !seen.has(digest) && seen.add(digest));
    bytes += next.reduce((sum, { size }) => sum + size, 0);
    if (seen.size > MAX_MANIFESTS || bytes > MAX_BYTES) throw tooLarge();
    level = await readLevel(next, read, held, signal);
  }
  return manifests;
}

/** Reads one level. Sizes that are said may be lies, so what has come is counted too. */
async function readLevel(
  level: readonly Descriptor[],
  read: ReadManifest,
  held: { bytes: number },
  signal: AbortSignal,
): Promise<StoredManifest[]> {
  const found = await allOrNone(level, signal, async (listed, all) => {
    const stored = await read(listed, all);
    held.bytes += stored?.bytes.byteLength ?? 0;
    if (held.bytes > MAX_BYTES) throw tooLarge();
    return stored;
  });
  return found.filter((stored) => stored !== undefined);
}

function tooLarge(): RegistrySyncError {
  const limits = `${MAX_MANIFESTS} manifests or ${MAX_BYTES} bytes of them`;
  return new RegistrySyncError('PROTOCOL', `index has more than ${limits}`);
}

function manifestsOf({ manifest }: StoredManifest): readonly Descriptor[] {
  return manifest.kind === 'index' ? manifest.manifests.filter(isManifest) : [];
}

/**
 * BuildKit's cache is an index that lists layers: what is not known to be a manifest is a blob.
 */
function isManifest({ mediaType }: Descriptor): boolean {
  return kindOfMediaType(mediaType) !== undefined;
}

/** By height: what an index lists may also be listed by an index below it, and must precede both. */
function inOrder(manifests: readonly StoredManifest[]): StoredManifest[][] {
  const below = new Map(manifests.map((stored) => [stored.descriptor.digest, stored]));
  const heights = new Map<Digest, number>();
  const heightOf = (digest: Digest): number => {
    const known = heights.get(digest);
    if (known !== undefined) return known;
    const stored = below.get(digest);
    const children = stored === undefined ? [] : manifestsOf(stored);
    const height = children.reduce((most, child) => Math.max(most, heightOf(child.digest) + 1), 0);
    heights.set(digest, height);
    return height;
  };
  const levels: StoredManifest[][] = [];
  for (const stored of manifests) (levels[heightOf(stored.descriptor.digest)] ??= []).push(stored);
  return levels;
}

/** Largest first. Docker's schema 1 does not say how large its layers are: the source is asked. */
async function sized(
  source: ImageSource,
  blobs: readonly Descriptor[],
  signal: AbortSignal,
): Promise<Descriptor[]> {
  const all = await allOrNone(blobs, signal, async (blob, stop) =>
    blob.size === UNKNOWN_SIZE ? withSize(source, blob, stop) : blob,
  );
  return all.toSorted((a, b) => b.size - a.size);
}

/** @throws {RegistrySyncError} `UNSUPPORTED` when the source can't say it. */
export async function withSize(
  source: ImageSource,
  blob: Descriptor,
  signal: AbortSignal,
): Promise<Descriptor> {
  if (source.blobSize !== undefined) {
    return { ...blob, size: await source.blobSize(blob.digest, signal) };
  }
  const message = "is a Docker schema 1 image, which can't be read from there";
  throw new RegistrySyncError('UNSUPPORTED', message);
}

/** What registries hold besides manifests, each once: configs and layers, but those that are kept elsewhere. */
export function blobsOf(manifests: readonly StoredManifest[]): Descriptor[] {
  const blobs = new Map<Digest, Descriptor>();
  for (const { manifest } of manifests) {
    for (const child of childrenOf(manifest)) {
      if (manifest.kind === 'index' && isManifest(child)) continue;
      if (!isElsewhere(child)) blobs.set(child.digest, child);
    }
  }
  return [...blobs.values()];
}

/** A foreign layer that says where it is. Without that a registry must hold it like any other. */
function isElsewhere({ mediaType, urls = [] }: Descriptor): boolean {
  return isForeign(mediaType) && urls.length > 0;
}
