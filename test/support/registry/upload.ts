/**
 * Uploads that are under way: bytes on their way to becoming a blob.
 */
import { createHash, randomUUID } from 'node:crypto';

import { digestOf } from './store.ts';

export class Upload {
  readonly id = randomUUID();
  readonly repository: string;
  readonly #keepBytes: number;
  readonly #chunks: Buffer[] = [];
  readonly #sha256 = createHash('sha256');
  #size = 0;
  #steps = 0;

  /** An upload of more than `keepBytes` is hashed and counted, but its bytes are gone. */
  constructor(repository: string, keepBytes = Infinity) {
    this.repository = repository;
    this.#keepBytes = keepBytes;
  }

  /** Bytes received. */
  get size(): number {
    return this.#size;
  }

  /** Names this point of the upload: another one after every step and after every byte. */
  get state(): string {
    return Buffer.from(`${this.#steps}/${this.#size}`).toString('base64url');
  }

  /** Takes what comes, counting it as one step. What came before a failure is kept. */
  async append(body: AsyncIterable<Buffer>): Promise<void> {
    this.#steps++;
    for await (const chunk of body) {
      this.#sha256.update(chunk);
      this.#size += chunk.length;
      if (this.#size <= this.#keepBytes) this.#chunks.push(chunk);
      else this.#chunks.length = 0;
    }
  }

  /** The content, and whether it has that digest. To be called once. */
  finish(digest: string): { readonly bytes: Buffer; readonly isRight: boolean } {
    const sha256 = `sha256:${this.#sha256.digest('hex')}`;
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks.length = 0;
    const actual = digest.startsWith('sha512:') ? digestOf(bytes, 'sha512') : sha256;
    return { bytes, isRight: actual === digest };
  }
}

/** The uploads of a registry, by id. */
export class Uploads {
  readonly #open = new Map<string, Upload>();
  readonly #keepBytes: number | undefined;

  /** `keepBytes`: see `Upload`. */
  constructor(keepBytes?: number) {
    this.#keepBytes = keepBytes;
  }

  /** How many were started and neither finished nor cancelled. */
  get count(): number {
    return this.#open.size;
  }

  start(repository: string): Upload {
    const upload = new Upload(repository, this.#keepBytes);
    this.#open.set(upload.id, upload);
    return upload;
  }

  find(repository: string, id: string): Upload | undefined {
    const upload = this.#open.get(id);
    return upload?.repository === repository ? upload : undefined;
  }

  end(upload: Upload): void {
    this.#open.delete(upload.id);
  }
}
