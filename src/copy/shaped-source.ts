/** A source of which some manifests and blobs were made anew, and the others are as they were. */
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import {
  hasAttachments,
  type Attachments,
  type AttachmentSource,
  type BlobBytes,
  type ImageSource,
} from '../image/source-and-sink.ts';
import { UNKNOWN_SIZE } from '../image/schema1.ts';
import type { LayerFiles } from './layer-files.ts';
import { withSize } from './plan.ts';

/** What was made anew. */
export interface MadeImage {
  readonly root: StoredManifest;
  readonly manifests: ReadonlyMap<Digest, StoredManifest>;
  /** Configs and the like. */
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
  readonly files?: LayerFiles;
  /** Of blobs, as far as they are known: schema 1 does not say them. Bytes. */
  readonly sizes: ReadonlyMap<Digest, number>;
  /** New digests by old ones. */
  readonly changes: ReadonlyMap<Digest, Digest>;
}

/** What is attached to the images that are as they were goes with them, where the source knows it. */
export function shapedSource(source: ImageSource, made: MadeImage): ShapedSource {
  return hasAttachments(source)
    ? new ShapedAttachmentSource(source, made)
    : new ShapedSource(source, made);
}

export class ShapedSource implements ImageSource {
  readonly name: string;
  readonly #source: ImageSource;
  readonly #made: MadeImage;

  constructor(source: ImageSource, made: MadeImage) {
    this.name = source.name;
    this.#source = source;
    this.#made = made;
  }

  /** New digests by old ones, of manifests and layers. */
  get changes(): ReadonlyMap<Digest, Digest> {
    return this.#made.changes;
  }

  async head(): Promise<Descriptor> {
    return this.#made.root.descriptor;
  }

  async manifest(digest: Digest | 'root', signal: AbortSignal): Promise<StoredManifest> {
    const { root, manifests } = this.#made;
    if (digest === 'root' || digest === root.descriptor.digest) return root;
    return manifests.get(digest) ?? this.#source.manifest(digest, signal);
  }

  async blob(target: Descriptor, signal: AbortSignal): Promise<BlobBytes> {
    const { blobs, files } = this.#made;
    return blobs.get(target.digest) ?? files?.open(target) ?? this.#source.blob(target, signal);
  }

  async blobSize(digest: Digest, signal: AbortSignal): Promise<number> {
    const { blobs, sizes } = this.#made;
    const known = blobs.get(digest)?.byteLength ?? sizes.get(digest);
    if (known !== undefined) return known;
    const unknown = { mediaType: '', digest, size: UNKNOWN_SIZE };
    return (await withSize(this.#source, unknown, signal)).size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#made.files?.[Symbol.asyncDispose]();
    await this.#source[Symbol.asyncDispose]();
  }
}

class ShapedAttachmentSource extends ShapedSource implements AttachmentSource {
  readonly #source: AttachmentSource;

  constructor(source: AttachmentSource, made: MadeImage) {
    super(source, made);
    this.#source = source;
  }

  attachments(subject: Digest, signal: AbortSignal): Promise<Attachments> {
    return this.#source.attachments(subject, signal);
  }

  sibling(tag: string): ImageSource {
    return this.#source.sibling(tag);
  }
}
