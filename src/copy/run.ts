/** Does what a plan says: blobs, then manifests from the leaves up, the root last. */
import type { Readable } from 'node:stream';

import type { LimitFunction } from 'p-limit';

import { allEnded } from '../base/concurrent.ts';
import { throwIfAborted } from '../base/errors.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { BlobOutcome, ImageSink, ImageSource } from '../image/source-and-sink.ts';
import type { CopyPlan } from './plan.ts';

export interface RunSettings {
  readonly source: ImageSource;
  readonly sink: ImageSink;
  /** How many blobs may be under way at once, over all images. */
  readonly transfers: LimitFunction;
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
  using linked = new LinkedAbort(signal);
  const put = blobs.map(async (blob) => {
    try {
      const open = (): Promise<Readable> => openWithin(transfers, source, blob, linked.signal);
      return await sink.putBlob(blob, open, linked.signal);
    } catch (error) {
      linked.abort(error);
      throw error;
    }
  });
  const outcomes = await allEnded(put).catch((error: unknown) => {
    throw signal.aborted ? error : (linked.signal.reason ?? error);
  });
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
 * Opens a blob once there is a permit, and gives the permit back when its stream is closed. The
 * permit is taken only here, so whoever holds one waits for nobody who needs one.
 */
function openWithin(
  transfers: LimitFunction,
  source: ImageSource,
  blob: Descriptor,
  signal: AbortSignal,
): Promise<Readable> {
  return new Promise((resolve, reject) => {
    void transfers(async () => {
      try {
        throwIfAborted(signal); // while it waited for the permit
        const stream = await source.blob(blob, signal);
        const closed = new Promise((done) => stream.once('close', done));
        resolve(stream);
        await closed;
      } catch (error) {
        reject(error);
      }
    });
  });
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
