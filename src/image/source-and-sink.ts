/**
 * The two roles that a place of images plays: something is read from an ImageSource and put into an
 * ImageSink. Each is opened for one reference. Every transport is these two and nothing else.
 */
import type { Readable } from 'node:stream';

import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import type { StoredManifest } from './manifest.ts';
import type { ManifestForm } from './media-types.ts';

export interface Image extends AsyncDisposable {
  /** For people, and to be pasted into other tools: `ghcr.io/a/b:1`. */
  readonly name: string;
  /**
   * What the name stands for now, for one HEAD or one stat. `undefined`: nothing. A place that knows
   * from elsewhere that it is `hoped` may say so without a look, and no more of it than its digest.
   */
  head(signal: AbortSignal, hoped?: Digest): Promise<Descriptor | undefined>;
}

export interface ImageSource extends Image {
  /**
   * A manifest, already checked against its digest.
   *
   * @throws {RegistrySyncError} `NOT_FOUND` when there is none.
   */
  manifest(digest: Digest | 'root', signal: AbortSignal): Promise<StoredManifest>;
  /**
   * A blob's bytes. Those of a stream are checked as they are read, and the last chunk is held back
   * until they agree; the caller reads it to its end or destroys it. Small blobs come whole.
   */
  blob(target: Descriptor, signal: AbortSignal): Promise<BlobBytes>;
  /**
   * How many bytes a blob has: Docker's schema 1 does not say it. Absent where no such image can be.
   *
   * @throws {RegistrySyncError} `NOT_FOUND` when there is none; `PROTOCOL` with `details.isThere` when
   * there is one whose size the place does not say.
   */
  blobSize?(digest: Digest, signal: AbortSignal): Promise<number>;
}

export type BlobBytes = Readable | Uint8Array;

/** Up to here a blob may come whole: a stream would cost more than its bytes. Bytes. */
export const SMALL_BLOB_BYTES = 128 * 1024;

/** Gives a blob's bytes anew at each call. */
export type OpenBlob = () => Promise<BlobBytes>;

/** How a blob came to be there: it was, it was linked inside the registry, or its bytes were moved. */
export type BlobOutcome = 'present' | 'mounted' | 'copied';

export type { ManifestForm } from './media-types.ts';

/** What a sink can hold; what is absent it takes as it comes. */
export interface SinkLimits {
  /** Forms of manifests; what is of another form has to become the first one. */
  readonly forms?: readonly ManifestForm[];
  /** How layers have to be. */
  readonly layers?: 'plain' | 'compressed';
  /** `false`: one image, and no index. */
  readonly indexes?: boolean;
}

export interface ImageSink extends Image {
  /** Whoever copies brings the image into a form that this sink can hold; absent: it takes all. */
  readonly limits?: SinkLimits;
  /**
   * Makes the sink hold `target`. Calls `open` only if the bytes are needed, and again to start
   * over. All blobs of an image are to be asked for in the same tick, and no others before the
   * manifests that need them are put: images that need a blob at the same time wait for the one
   * that asked first, and so none of them waits in a circle.
   */
  putBlob(target: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<BlobOutcome>;
  /**
   * Stores a manifest whose children are held. The root comes last and makes the image visible.
   *
   * @throws {RegistrySyncError} `REJECTED` with `details.missing` when the sink lacks content that
   * it had said it holds; the sink has forgotten that by then, so the image can be put again.
   */
  putManifest(stored: StoredManifest, as: 'child' | 'root', signal: AbortSignal): Promise<void>;
}

/** What was attached to an image after it was made: signatures, attestations, SBOMs. */
export interface Attachments {
  /** Manifests whose `subject` is the image. */
  readonly referrers: readonly Descriptor[];
  /** The index that lists them, where the place keeps one (OCI 1.1, «Referrers Tag Schema»). */
  readonly index?: StoredManifest;
  /** Tags made of the image's digest (cosign's `.sig`, `.att`, `.sbom`). */
  readonly tags: readonly string[];
}

/** An optional ability of a source: it knows what is attached to its images. */
export interface AttachmentSource extends ImageSource {
  attachments(subject: Digest, signal: AbortSignal): Promise<Attachments>;
  /** Another image of the same repository. */
  sibling(tag: string): ImageSource;
}

/** An optional ability of a sink: what is put into it can be found by its subject. */
export interface AttachmentSink extends ImageSink {
  /** Makes `attachments.referrers`, which the sink holds, known as referrers of `subject`. */
  attach(subject: Digest, attachments: Attachments, signal: AbortSignal): Promise<void>;
  /** Another image of the same repository. */
  sibling(tag: string): ImageSink;
}

export function hasAttachments(source: ImageSource): source is AttachmentSource {
  return 'attachments' in source;
}

export function takesAttachments(sink: ImageSink): sink is AttachmentSink {
  return 'attach' in sink;
}
