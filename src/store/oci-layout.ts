/**
 * `oci:path[:name|@index]`: images in a directory.
 *
 * Source: OCI Image Specification 1.1, «Image Layout»; containers-transports(5).
 */
import { RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import type { ImageSink, ImageSource, SinkLimits } from '../image/source-and-sink.ts';
import { isBlobFile, readBlobFile } from './blob-file.ts';
import { requireBlobs } from './content.ts';
import {
  addToIndex,
  blobPath,
  putLayoutBlob,
  putLayoutManifest,
  readIndex,
  readLayoutManifest,
  shownPath,
  type Layout,
} from './layout-files.ts';
import {
  findEntry,
  listEntries,
  unnamedEntries,
  type LayoutIndex,
  type Which,
} from './layout-index.ts';
import { formatLocation, type OciLocation } from './location.ts';
import type { Store, StoreSettings } from './open.ts';

/** Which image of a layout, and what it is called in messages. */
export interface LayoutImage extends Which {
  readonly label: string;
}

export const ociStore: Store<OciLocation> = {
  source: async (location, settings) =>
    createLayoutSource(layoutOf(location, settings), imageOf(location)),
  async sink(location, settings) {
    if (location.index !== undefined) throw indexInTarget(location);
    const limits = limitsOf(settings);
    return createLayoutSink(layoutOf(location, settings), { ...imageOf(location), limits });
  },
};

/** What a layout takes: OCI's forms, and compressed layers, as its readers expect. */
export function limitsOf({
  acceptUncompressedLayers,
}: Pick<StoreSettings, 'acceptUncompressedLayers'>): SinkLimits {
  return acceptUncompressedLayers === true
    ? { forms: ['oci'] }
    : { forms: ['oci'], layers: 'compressed' };
}

export function indexInTarget(location: OciLocation): RegistrySyncError {
  const name = formatLocation(location);
  return new RegistrySyncError(
    'USAGE',
    `${name}: a number chooses what is read: write a name instead`,
  );
}

export function createLayoutSource(layout: Layout, image: LayoutImage): ImageSource {
  const { label } = image;
  return {
    name: label,
    async head(signal) {
      throwIfAborted(signal);
      const index = await readIndex(layout);
      const found = index && findEntry(index, image, label);
      return found && plain(found);
    },
    async manifest(digest, signal) {
      throwIfAborted(signal);
      if (digest !== 'root') return readLayoutManifest(layout, { digest });
      return readLayoutManifest(layout, await rootOf(layout, image));
    },
    async blob(target, signal) {
      throwIfAborted(signal);
      const path = await blobPath(layout, target.digest);
      return readBlobFile(path, target, signal, shownPath(layout, path));
    },
    async [Symbol.asyncDispose]() {
      // Files are closed by whoever reads them.
    },
  };
}

export function createLayoutSink(
  layout: Layout,
  image: LayoutImage & { readonly limits: SinkLimits },
): ImageSink {
  const { label, limits } = image;
  return {
    name: label,
    limits,
    async head(signal, hoped) {
      throwIfAborted(signal);
      const found = entryToReplace(await readIndex(layout), image, hoped);
      if (found === undefined) return undefined;
      const isThere = await isBlobFile(await blobPath(layout, found.digest), found.size);
      return isThere ? plain(found) : undefined;
    },
    putBlob: (target, open, signal) => putLayoutBlob(layout, target, open, signal),
    async putManifest(stored, as, signal) {
      throwIfAborted(signal);
      await requireBlobs(stored, label, async ({ digest, size }) =>
        isBlobFile(await blobPath(layout, digest), size),
      );
      await putLayoutManifest(layout, stored);
      if (as === 'root') await addToIndex(layout, stored.descriptor, image.name, signal);
    },
    async [Symbol.asyncDispose]() {
      // What was written is whole, and stays for the next try.
    },
  };
}

function layoutOf({ path }: OciLocation, { sharedBlobDir }: StoreSettings): Layout {
  return { directory: path, sharedBlobDir };
}

export function imageOf(location: OciLocation): LayoutImage {
  const { name, index } = location;
  return { label: formatLocation(location), name, index };
}

async function rootOf(layout: Layout, image: LayoutImage): Promise<Descriptor> {
  const index = await readIndex(layout);
  if (index === undefined) {
    const message = `${image.label}: ${shownPath(layout, layout.directory)} is no OCI layout: it has no index.json`;
    throw new RegistrySyncError('NOT_FOUND', message);
  }
  const found = findEntry(index, image, image.label);
  if (found !== undefined) return found;
  const message = `${image.label}: there is no such image: ${shownPath(layout, layout.directory)} holds ${listEntries(index)}`;
  throw new RegistrySyncError('NOT_FOUND', message);
}

/** What the sink's name stands for: what has no name is never what has one. */
function entryToReplace(
  index: LayoutIndex | undefined,
  { name, label }: LayoutImage,
  hoped: Digest | undefined,
): Descriptor | undefined {
  if (index === undefined) return undefined;
  if (name !== undefined) return findEntry(index, { name }, label);
  const unnamed = unnamedEntries(index);
  const same = unnamed.find(({ digest }) => digest === hoped);
  return same ?? (unnamed.length === 1 ? unnamed[0] : undefined);
}

function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
