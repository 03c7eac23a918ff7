/**
 * The files of an OCI layout: where they are, how they are read, and how images are added while
 * others add theirs.
 *
 * Source: OCI Image Specification 1.1, «Image Layout».
 */
import { join, relative } from 'node:path';

import { isError, RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import { InTurn } from '../base/in-turn.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { algorithmOf, hexOf, type Digest } from '../image/digest.ts';
import { MAX_MANIFEST_BYTES, type StoredManifest } from '../image/manifest.ts';
import type { BlobOutcome, OpenBlob } from '../image/source-and-sink.ts';
import { isBlobFile, readSmallFile, writeBlobFile, writeWhole } from './blob-file.ts';
import { checkedManifest } from './content.ts';
import { makeDirectory, refuseLink, removeStale } from '../files/directory.ts';
import { writing } from '../files/file-failure.ts';
import { withFileLock } from '../files/file-lock.ts';
import {
  EMPTY_INDEX,
  formatLayoutIndex,
  parseJson,
  parseLayoutIndex,
  withEntry,
  type LayoutIndex,
} from './layout-index.ts';

/** Where a layout is. */
export interface Layout {
  readonly directory: string;
  /** Blobs are here and not in the layout. */
  readonly sharedBlobDir?: string | undefined;
  /** What the directory is called in messages, when it is a temporary one. */
  readonly shownAs?: string;
}

/** An image that is one in a hundred thousand still fits. Bytes. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;
const MAX_LAYOUT_BYTES = 64 * 1024;
const LAYOUT_VERSION = '1.0.0';

/** Images of this process that need the same blob, or change the same index. */
const turns = new InTurn<string>();
/** Directories that were looked through for what killed runs left. */
const cleaned = new Set<string>();
const MAX_CLEANED = 10_000;

/** `undefined`: there is none. */
export async function readIndex(layout: Layout): Promise<LayoutIndex | undefined> {
  const path = join(layout.directory, 'index.json');
  const where = shownPath(layout, path);
  try {
    const bytes = await readSmallFile(path, MAX_INDEX_BYTES, where);
    await checkVersion(layout);
    return parseLayoutIndex(bytes, where);
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** Whether there is an oci-layout file. Layouts without one are read, as skopeo reads them. */
async function checkVersion(layout: Layout): Promise<boolean> {
  const path = join(layout.directory, 'oci-layout');
  const where = shownPath(layout, path);
  let bytes;
  try {
    bytes = await readSmallFile(path, MAX_LAYOUT_BYTES, where);
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return false;
    throw error;
  }
  const { imageLayoutVersion } = parseJson(bytes, where);
  if (imageLayoutVersion === LAYOUT_VERSION) return true;
  const message = `${where} says another version than ${LAYOUT_VERSION}, which is all that is known here`;
  throw new RegistrySyncError('UNSUPPORTED', message);
}

/** @throws {RegistrySyncError} `NOT_FOUND`, `CONTENT_MISMATCH`, `PROTOCOL`. */
export async function readLayoutManifest(
  layout: Layout,
  { digest, mediaType }: Pick<Descriptor, 'digest'> & { readonly mediaType?: string },
): Promise<StoredManifest> {
  const path = await blobPath(layout, digest);
  const where = shownPath(layout, path);
  const bytes = await readSmallFile(path, MAX_MANIFEST_BYTES, where);
  return checkedManifest(bytes, { digest, mediaType, where });
}

/** What a path is called in messages. */
export function shownPath({ directory, shownAs }: Layout, path: string): string {
  if (shownAs === undefined) return path;
  return path === directory ? shownAs : `${shownAs}: ${relative(directory, path)}`;
}

/** Where a blob is; no part below the directory that the user named is a link. */
export async function blobPath(
  { directory, sharedBlobDir }: Layout,
  digest: Digest,
): Promise<string> {
  const blobs = sharedBlobDir ?? join(directory, 'blobs');
  if (sharedBlobDir === undefined) await refuseLink(blobs);
  const folder = join(blobs, algorithmOf(digest));
  await refuseLink(folder);
  return join(folder, hexOf(digest));
}

/** Images of this process that need the same blob wait for the one that brings it. */
export async function putLayoutBlob(
  layout: Layout,
  target: Descriptor,
  open: OpenBlob,
  signal: AbortSignal,
): Promise<BlobOutcome> {
  throwIfAborted(signal);
  const path = await blobPath(layout, target.digest);
  return turns.run(path, async () => {
    throwIfAborted(signal);
    if (await isBlobFile(path, target.size)) return 'present';
    await prepare(layout, target.digest);
    await writeBlobFile(path, target, await open(), signal);
    return 'copied';
  });
}

export async function putLayoutManifest(
  layout: Layout,
  { descriptor, bytes }: StoredManifest,
): Promise<void> {
  const { digest } = descriptor;
  const path = await blobPath(layout, digest);
  await prepare(layout, digest);
  await turns.run(path, () => writeWhole(path, bytes));
}

async function prepare({ directory, sharedBlobDir }: Layout, digest: Digest): Promise<void> {
  const folder = join(sharedBlobDir ?? join(directory, 'blobs'), algorithmOf(digest));
  await writing(folder, async () => {
    await makeDirectory(directory);
    await makeDirectory(folder);
    if (cleaned.has(folder)) return;
    if (cleaned.size >= MAX_CLEANED) cleaned.clear();
    cleaned.add(folder);
    await removeStale(folder);
  });
}

/** Makes an image visible, under a name if there is one. */
export async function addToIndex(
  layout: Layout,
  added: Descriptor,
  name: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const path = join(layout.directory, 'index.json');
  const lock = join(layout.directory, '.index.json.lock');
  const update = (): Promise<boolean> =>
    withFileLock(lock, signal, async (isHeld) => {
      if (!(await checkVersion(layout))) {
        const text = `{"imageLayoutVersion": "${LAYOUT_VERSION}"}`; // as skopeo writes it
        await writeWhole(join(layout.directory, 'oci-layout'), Buffer.from(text));
      }
      const index = (await readIndex(layout)) ?? EMPTY_INDEX;
      const bytes = formatLayoutIndex(withEntry(index, added, name));
      return writeWhole(path, bytes, isHeld);
    });
  await turns.run(path, async () => {
    while (!(await update())); // the lock was taken away: somebody else may have written meanwhile
  });
}
