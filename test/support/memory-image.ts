/**
 * Images in memory: a source and a sink that note what they are asked, and fail where a test wants
 * them to. A real store made small: the sink refuses a manifest whose content it lacks.
 */
import { Readable } from 'node:stream';

import { cancelled, RegistrySyncError, throwIfAborted } from '../../src/base/errors.ts';
import type { Descriptor } from '../../src/image/descriptor.ts';
import type { Digest } from '../../src/image/digest.ts';
import { childrenOf, readManifest, type StoredManifest } from '../../src/image/manifest.ts';
import { isForeign } from '../../src/image/media-types.ts';
import type {
  Attachments,
  AttachmentSink,
  AttachmentSource,
  BlobOutcome,
  OpenBlob,
} from '../../src/image/source-and-sink.ts';
import { verified } from '../../src/image/verified.ts';
import { streamOf } from './blob-bytes.ts';
import { collect } from './collect.ts';
import type { BuiltImage } from './images.ts';

/** What is done to a call before it is answered: throw, wait, or nothing. The call is as in `calls`. */
export type Trouble = (call: string, signal: AbortSignal) => void | Promise<void>;

/** One repository: manifests and blobs by digest, digests by tag. */
export class MemoryRepository {
  readonly name: string;
  readonly manifests = new Map<string, StoredManifest>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly tags = new Map<string, Digest>();
  /** Manifests attached by their subject's digest. */
  readonly referrers = new Map<string, Descriptor[]>();
  /** What was asked, in order: `head v1`, `manifest <digest>`, `blob <digest>`, `root v1`, … */
  readonly calls: string[] = [];
  /** Streams that were opened and are not closed. */
  openStreams = 0;
  /** The most of them at the same time. */
  mostStreams = 0;
  trouble: Trouble = () => {};

  constructor(name = 'memory.test/a') {
    this.name = name;
  }

  /** Makes it hold an image, under a tag unless that is `undefined`. */
  hold(tag: string | undefined, { root, manifests, blobs }: BuiltImage): this {
    for (const { bytes, mediaType } of [...manifests, root])
      this.#keep(readManifest(bytes, mediaType));
    for (const { digest, bytes } of blobs) this.blobs.set(digest, bytes);
    if (tag !== undefined) this.tags.set(tag, root.digest as Digest);
    return this;
  }

  source(reference: string): AttachmentSource {
    return new MemorySource(this, reference);
  }

  sink(reference: string): AttachmentSink {
    return new MemorySink(this, reference);
  }

  /** What `reference`, a tag or a digest, stands for. */
  find(reference: string): StoredManifest | undefined {
    return this.manifests.get(this.tags.get(reference) ?? reference);
  }

  async note(call: string, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.calls.push(call);
    await this.trouble(call, signal);
    throwIfAborted(signal);
  }

  /** Stores a manifest if all that it needs is here. */
  put(stored: StoredManifest, reference: string): void {
    const missing = childrenOf(stored.manifest)
      .filter(({ mediaType, urls = [] }) => !isForeign(mediaType) || urls.length === 0)
      .map(({ digest }) => digest)
      .filter((digest) => !this.manifests.has(digest) && !this.blobs.has(digest));
    if (missing.length > 0) {
      const details = { missing: missing.join(' ') };
      throw new RegistrySyncError('REJECTED', 'content is missing', { details });
    }
    this.#keep(stored);
    if (!reference.includes(':')) this.tags.set(reference, stored.descriptor.digest);
  }

  #keep(stored: StoredManifest): void {
    const { descriptor, manifest } = stored;
    this.manifests.set(descriptor.digest, stored);
    if (manifest.subject === undefined) return;
    const known = this.referrers.get(manifest.subject.digest) ?? [];
    if (known.some(({ digest }) => digest === descriptor.digest)) return;
    this.referrers.set(manifest.subject.digest, [...known, descriptor]);
  }
}

class MemoryImage {
  readonly repository: MemoryRepository;
  readonly reference: string;

  constructor(repository: MemoryRepository, reference: string) {
    this.repository = repository;
    this.reference = reference;
  }

  get name(): string {
    return `${this.repository.name}${this.reference.includes(':') ? '@' : ':'}${this.reference}`;
  }

  async head(signal: AbortSignal): Promise<Descriptor | undefined> {
    await this.repository.note(`head ${this.reference}`, signal);
    return this.repository.find(this.reference)?.descriptor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.repository.calls.push(`dispose ${this.reference}`);
  }
}

class MemorySource extends MemoryImage implements AttachmentSource {
  async manifest(digest: Digest | 'root', signal: AbortSignal): Promise<StoredManifest> {
    const wanted = digest === 'root' ? this.reference : digest;
    await this.repository.note(`manifest ${wanted}`, signal);
    const found = this.repository.find(wanted);
    if (found === undefined) throw new RegistrySyncError('NOT_FOUND', `no manifest ${wanted}`);
    return found;
  }

  async blob(target: Descriptor, signal: AbortSignal): Promise<Readable> {
    const { repository } = this;
    await repository.note(`blob ${target.digest}`, signal);
    const bytes = repository.blobs.get(target.digest);
    if (bytes === undefined) throw new RegistrySyncError('NOT_FOUND', `no blob ${target.digest}`);
    const stream = Readable.from(verified(pieces(bytes), target), { objectMode: false });
    repository.openStreams += 1;
    repository.mostStreams = Math.max(repository.mostStreams, repository.openStreams);
    stream.once('close', () => (repository.openStreams -= 1));
    return stream;
  }

  async blobSize(digest: Digest, signal: AbortSignal): Promise<number> {
    await this.repository.note(`size ${digest}`, signal);
    const bytes = this.repository.blobs.get(digest);
    if (bytes === undefined) throw new RegistrySyncError('NOT_FOUND', `no blob ${digest}`);
    return bytes.byteLength;
  }

  async attachments(subject: Digest, signal: AbortSignal): Promise<Attachments> {
    await this.repository.note(`attachments ${subject}`, signal);
    const prefix = `${subject.replace(':', '-')}.`;
    return {
      referrers: this.repository.referrers.get(subject) ?? [],
      tags: [...this.repository.tags.keys()].filter((tag) => tag.startsWith(prefix)),
    };
  }

  sibling(reference: string): AttachmentSource {
    return this.repository.source(reference);
  }
}

class MemorySink extends MemoryImage implements AttachmentSink {
  async putBlob(target: Descriptor, open: OpenBlob, signal: AbortSignal): Promise<BlobOutcome> {
    const { repository } = this;
    await repository.note(`put ${target.digest}`, signal);
    if (repository.blobs.has(target.digest)) return 'present';
    const stream = streamOf(await open());
    try {
      await repository.note(`reading ${target.digest}`, signal);
      repository.blobs.set(target.digest, Buffer.concat(await readAll(stream, signal)));
    } finally {
      stream.destroy();
    }
    return 'copied';
  }

  async putManifest(
    stored: StoredManifest,
    as: 'child' | 'root',
    signal: AbortSignal,
  ): Promise<void> {
    const reference = as === 'root' ? this.reference : stored.descriptor.digest;
    await this.repository.note(`${as} ${reference}`, signal);
    this.repository.put(stored, reference);
  }

  async attach(subject: Digest, { referrers }: Attachments, signal: AbortSignal): Promise<void> {
    await this.repository.note(`attach ${subject} ${referrers.length}`, signal);
  }

  sibling(reference: string): AttachmentSink {
    return this.repository.sink(reference);
  }
}

const PIECE_BYTES = 512;

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

async function readAll(stream: Readable, signal: AbortSignal): Promise<Uint8Array[]> {
  const abort = (): void => void stream.destroy(cancelled(signal));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await collect(stream as AsyncIterable<Uint8Array>);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
