/** Does what a plan says: blobs, then manifests from the leaves up, the root last. */
import pLimit, { type LimitFunction } from 'p-limit';

import { allEnded, allOrNone } from '../base/concurrent.ts';
import { throwIfAborted } from '../base/errors.ts';
import { orAborted } from '../base/on-abort.ts';
import type { Descriptor } from '../image/descriptor.ts';
import {
  SMALL_BLOB_BYTES,
  type BlobBytes,
  type BlobOutcome,
  type ImageSink,
  type ImageSource,
} from '../image/source-and-sink.ts';
import type { CopyPlan } from './plan.ts';

/** How many blobs may be under way at once, over all images: memory is bounded by that. */
export interface Transfers {
  /** Of blobs that are held whole. */
  readonly small: LimitFunction;
  /** Of streams. */
  readonly large: LimitFunction;
}

/** At most 64 MiB of small blobs, and a few hundred KiB for each stream. */
export function createTransfers(small = 512, large = 24): Transfers {
  return { small: pLimit(small), large: pLimit(large) };
}

export interface RunSettings {
  readonly source: ImageSource;
  readonly sink: ImageSink;
  readonly transfers: Transfers;
  readonly signal: AbortSignal;
}

/** How the blobs of an image came to be at the target. */
export interface BlobTotals {
  readonly blobs: Readonly<Record<BlobOutcome, number>>;
  /** Bytes moved. */
  readonly bytes: number;
  /** Bytes that were linked inside the registry instead. */
  readonly mountedBytes: number;
}

/** Brings all blobs. The first failure stops the others: the image can't be whole any more. */
export async function runBlobs(
  { blobs }: CopyPlan,
  { source, sink, transfers, signal }: RunSettings,
): Promise<BlobTotals> {
  const outcomes = await allOrNone(blobs, signal, (blob, all) =>
    putWithin(transfers, blob, { source, sink, signal: all }),
  );
  return totalsOf(blobs, outcomes);
}

/** Puts the manifests below the root, level by level. */
export async function runChildren(
  { children }: CopyPlan,
  { sink, signal }: RunSettings,
): Promise<void> {
  for (const level of children) {
    await allEnded(level.map((stored) => sink.putManifest(stored, 'child', signal)));
  }
}

/**
 * Puts a blob, and opens it only when there is a permit. That is taken when the bytes are really
 * needed, so whoever holds one waits for nobody who needs one.
 */
async function putWithin(
  { small, large }: Transfers,
  blob: Descriptor,
  { source, sink, signal }: Pick<RunSettings, 'source' | 'sink' | 'signal'>,
): Promise<BlobOutcome> {
  let release: (() => void) | undefined;
  const open = async (): Promise<BlobBytes> => {
    // Kept when it starts over: who holds a place of a host must not wait for a permit.
    release ??= await permitOf(blob.size > SMALL_BLOB_BYTES ? large : small, signal);
    throwIfAborted(signal);
    return source.blob(blob, signal);
  };
  try {
    return await sink.putBlob(blob, open, signal);
  } finally {
    release?.();
  }
}

/** Resolves, once there is one, to what gives the permit back. */
async function permitOf(limit: LimitFunction, signal: AbortSignal): Promise<() => void> {
  const permit = new Promise<() => void>((resolve) => {
    void limit(() => new Promise<void>((release) => resolve(release)));
  });
  try {
    await orAborted(permit, signal);
  } catch (error) {
    void giveBack(permit);
    throw error;
  }
  return permit;
}

/** Whoever waited for it is gone. */
async function giveBack(permit: Promise<() => void>): Promise<void> {
  (await permit)();
}

function totalsOf(blobs: readonly Descriptor[], outcomes: readonly BlobOutcome[]): BlobTotals {
  const counts = { present: 0, mounted: 0, copied: 0 };
  const bytes = { present: 0, mounted: 0, copied: 0 };
  for (const [position, outcome] of outcomes.entries()) {
    counts[outcome] += 1;
    bytes[outcome] += blobs[position]?.size ?? 0;
  }
  return { blobs: counts, bytes: bytes.copied, mountedBytes: bytes.mounted };
}
