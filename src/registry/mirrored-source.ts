/** An image that may be in several places: the first one that has it is read. */
import { RegistrySyncError, throwIfAborted } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import type { StoredManifest } from '../image/manifest.ts';
import type {
  Attachments,
  AttachmentSource,
  BlobBytes,
  ImageSource,
} from '../image/source-and-sink.ts';

/** Opens one of the places. */
export type OpenSource = () => AttachmentSource;

export class MirroredSource implements AttachmentSource {
  readonly name: string;
  readonly #open: readonly OpenSource[];
  readonly #log: Log;
  /** The place that has it, once it was found. */
  #chosen: AttachmentSource | undefined;

  /** @param open mirrors in their order, then the image's own place; at least that. */
  constructor(name: string, open: readonly OpenSource[], log: Log) {
    this.name = name;
    this.#open = open;
    this.#log = log;
  }

  head(signal: AbortSignal, hoped?: Digest): Promise<Descriptor | undefined> {
    return this.#first((source) => source.head(signal, hoped), signal);
  }

  async manifest(digest: Digest | 'root', signal: AbortSignal): Promise<StoredManifest> {
    const found = await this.#first((source) => source.manifest(digest, signal), signal);
    if (found !== undefined) return found;
    throw new RegistrySyncError('NOT_FOUND', `${this.name}: there is no such image`);
  }

  async blob(target: Descriptor, signal: AbortSignal): Promise<BlobBytes> {
    return (await this.#choice(signal)).blob(target, signal);
  }

  async attachments(subject: Digest, signal: AbortSignal): Promise<Attachments> {
    return (await this.#choice(signal)).attachments(subject, signal);
  }

  /** Where this one was found. */
  sibling(tag: string): ImageSource {
    const source = this.#chosen ?? this.#open.at(-1)?.();
    if (source === undefined) throw new RangeError('an image is nowhere');
    return source.sibling(tag);
  }

  async #choice(signal: AbortSignal): Promise<AttachmentSource> {
    if (this.#chosen === undefined) await this.manifest('root', signal);
    if (this.#chosen === undefined) throw new RangeError('an image was found nowhere');
    return this.#chosen;
  }

  /** What the first place says that has an answer. */
  async #first<T>(
    ask: (source: AttachmentSource) => Promise<T | undefined>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    if (this.#chosen !== undefined) return ask(this.#chosen);
    const failed: string[] = [];
    for (const [at, open] of this.#open.entries()) {
      const isLast = at === this.#open.length - 1;
      try {
        const source = open();
        const answer = await ask(source);
        if (answer !== undefined) this.#chosen = source;
        if (answer !== undefined || isLast) return answer;
        this.#log.debug({ image: source.name }, 'not in this mirror');
      } catch (error) {
        throwIfAborted(signal);
        if (isLast) throw withMirrors(error, failed);
        if (!(error instanceof RegistrySyncError)) throw error;
        failed.push(error.message);
        this.#log.debug({ image: this.name, error: error.message }, 'this mirror failed');
      }
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chosen?.[Symbol.asyncDispose]();
  }
}

function withMirrors(error: unknown, failed: readonly string[]): unknown {
  if (!(error instanceof RegistrySyncError) || failed.length === 0) return error;
  const { code, message, details } = error;
  const more = `${message} (its mirrors failed too: ${failed.join('; ')})`;
  return new RegistrySyncError(code, more, { cause: error, details });
}
