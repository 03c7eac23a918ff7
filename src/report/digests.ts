/** A column of digests in 32 bytes each; the rare ones that are no sha256 are kept beside it. */

const SHA256 = 'sha256:';
const BYTES = 32;

export class Digests {
  #bytes = Buffer.alloc(1024 * BYTES);
  readonly #others = new Map<number, string>();

  set(row: number, digest: string): void {
    this.#others.delete(row);
    if ((row + 1) * BYTES > this.#bytes.length) this.#grow(row);
    if (digest.startsWith(SHA256))
      this.#bytes.write(digest.slice(SHA256.length), row * BYTES, 'hex');
    else this.#bytes.fill(0, row * BYTES, (row + 1) * BYTES);
    if (digest !== '' && !digest.startsWith(SHA256)) this.#others.set(row, digest);
  }

  /** Empty: none. */
  at(row: number): string {
    const other = this.#others.get(row);
    if (other !== undefined) return other;
    const bytes = this.#bytes.subarray(row * BYTES, (row + 1) * BYTES);
    return bytes.every((byte) => byte === 0) ? '' : SHA256 + bytes.toString('hex');
  }

  #grow(row: number): void {
    const old = this.#bytes;
    this.#bytes = Buffer.alloc(Math.max(old.length * 2, (row + 1) * BYTES));
    old.copy(this.#bytes);
  }
}
