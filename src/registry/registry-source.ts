/** An image of a registry, to be read. */
import { Readable } from 'node:stream';

import { RegistrySyncError, withName } from '../base/errors.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import { discard, header } from '../http/send.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import {
  SMALL_BLOB_BYTES,
  type Attachments,
  type AttachmentSource,
  type BlobBytes,
} from '../image/source-and-sink.ts';
import { verified } from '../image/verified.ts';
import type { AttachmentFinder } from './attachments.ts';
import { download } from './download.ts';
import { endpoints } from './endpoints.ts';
import { getManifest, headManifest, nameOf, type Place } from './manifests.ts';

export interface SourceSettings {
  readonly place: Place;
  /** Shared by the sources of a repository: tags on one digest need its manifests once. */
  readonly manifest: (digest: Digest, signal: AbortSignal) => Promise<StoredManifest>;
  readonly attachments: AttachmentFinder;
}

export class RegistrySource implements AttachmentSource {
  readonly name: string;
  readonly #settings: SourceSettings;
  readonly #reference: string;

  /** `reference` is a tag or a digest. */
  constructor(settings: SourceSettings, reference: string) {
    const { client, path } = settings.place;
    this.name = nameOf(client, path, reference);
    this.#settings = settings;
    this.#reference = reference;
  }

  async head(signal: AbortSignal): Promise<Descriptor | undefined> {
    return headManifest(this.#settings.place, this.#reference, signal);
  }

  async manifest(digest: Digest | 'root', signal: AbortSignal): Promise<StoredManifest> {
    const { place, manifest } = this.#settings;
    if (digest !== 'root') return manifest(digest, signal);
    if (this.#reference.includes(':')) return manifest(this.#reference as Digest, signal);
    return getManifest(place, this.#reference, signal);
  }

  async blob(target: Descriptor, signal: AbortSignal): Promise<BlobBytes> {
    if (target.size <= SMALL_BLOB_BYTES) return collect(this.#bytes(target, signal));
    const linked = new LinkedAbort(signal);
    const bytes = this.#bytes(target, linked.signal);
    const stream = Readable.from(bytes, { objectMode: false, highWaterMark: CHUNK_BYTES });
    // Who destroys the stream does not wait for bytes that may never come.
    const destroy = stream.destroy.bind(stream);
    stream.destroy = (error) => {
      linked.abort(error ?? new RegistrySyncError('CANCELLED', 'no longer wanted'));
      linked[Symbol.dispose]();
      return destroy(error);
    };
    return stream;
  }

  async blobSize(digest: Digest, signal: AbortSignal): Promise<number> {
    const { client, path, permission } = this.#settings.place;
    const what = `${nameOf(client, path, digest)} (a blob)`;
    const url = (origin: string): URL => endpoints.blob(origin, path, digest);
    const request = { method: 'HEAD' as const, url, permission, signal };
    const response = await client.expect([200], what, request);
    await discard(response);
    const size = Number(header(response, 'content-length') ?? Number.NaN);
    if (Number.isSafeInteger(size) && size >= 0) return size;
    const message = `${what}: the registry does not say its size`;
    throw new RegistrySyncError('PROTOCOL', message, { details: { isThere: true } });
  }

  /** The bytes of a blob, checked. A failure of theirs names the image and the side. */
  #bytes(target: Descriptor, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const { client, path, permission } = this.#settings.place;
    const request = {
      method: 'GET' as const,
      url: (origin: string) => endpoints.blob(origin, path, target.digest),
      permission,
      signal,
    };
    return named(verified(download(client, request, target), target), this.name);
  }

  attachments(subject: Digest, signal: AbortSignal): Promise<Attachments> {
    return this.#settings.attachments.find(subject, signal);
  }

  sibling(reference: string): RegistrySource {
    return new RegistrySource(this.#settings, reference);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Connections belong to the client and outlive the image.
  }
}

const CHUNK_BYTES = 64 * 1024;

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

async function* named(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for await (const chunk of bytes) yield chunk; // `yield*` waits twice for each
  } catch (error) {
    if (error instanceof RegistrySyncError) throw withName(error, name, { side: 'source' });
    throw error;
  }
}
