/**
 * A table of names that were seen, in a few bytes each: a million of them fit into 32 MB.
 *
 * Open addressing over typed arrays; a name is known by 64 bits of its SHA-256, so a false match is
 * less likely than a broken machine, and is checked by the caller all the same.
 */
import { createHash } from 'node:crypto';

const FIRST_SLOTS = 1024; // a power of two

export class Fingerprints {
  /** Per slot: two words of the name, one of the value. A slot with a value of 0 is free. */
  #words = new Uint32Array(FIRST_SLOTS * 3);
  #slots = FIRST_SLOTS;
  #used = 0;

  /** Enters `name` with `value`. Says what was there before: nothing, the same value, or another one. */
  add(name: string, value: string): 'new' | 'same' | 'other' {
    if (this.#used * 2 >= this.#slots) this.#grow();
    const [high, low] = wordsOf(name);
    const [mark] = wordsOf(value);
    return this.#enter(high, low, mark === 0 ? 1 : mark);
  }

  /** Whether `name` was entered. A `true` may be wrong, as one of 2^64 is; a `false` never is. */
  has(name: string): boolean {
    const [high, low] = wordsOf(name);
    const words = this.#words;
    for (let slot = low & (this.#slots - 1); ; slot = (slot + 1) & (this.#slots - 1)) {
      const at = slot * 3;
      if (words[at + 2] === 0) return false;
      if (words[at] === high && words[at + 1] === low) return true;
    }
  }

  #enter(high: number, low: number, mark: number): 'new' | 'same' | 'other' {
    const words = this.#words;
    for (let slot = low & (this.#slots - 1); ; slot = (slot + 1) & (this.#slots - 1)) {
      const at = slot * 3;
      if (words[at + 2] === 0) {
        words.set([high, low, mark], at);
        this.#used += 1;
        return 'new';
      }
      if (words[at] === high && words[at + 1] === low) {
        return words[at + 2] === mark ? 'same' : 'other';
      }
    }
  }

  #grow(): void {
    const old = this.#words;
    this.#slots *= 2;
    this.#used = 0;
    this.#words = new Uint32Array(this.#slots * 3);
    for (let at = 0; at < old.length; at += 3) {
      const mark = old[at + 2] ?? 0;
      if (mark !== 0) this.#enter(old[at] ?? 0, old[at + 1] ?? 0, mark);
    }
  }
}

function wordsOf(text: string): [number, number] {
  const hash = createHash('sha256').update(text).digest();
  return [hash.readUInt32LE(0), hash.readUInt32LE(4)];
}
