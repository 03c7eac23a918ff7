/** A signal of one's own that is also aborted with another. */
import { setMaxListeners } from 'node:events';

/**
 * Unlike `AbortSignal.any` it leaves nothing behind on the long-lived `parent` once it is disposed of.
 */
export class LinkedAbort implements Disposable {
  readonly #parent: AbortSignal;
  readonly #own = new AbortController();
  readonly #follow = (): void => this.#own.abort(this.#parent.reason);

  constructor(parent: AbortSignal) {
    this.#parent = parent;
    setMaxListeners(0, this.#own.signal); // every request that is under way listens
    if (parent.aborted) this.#follow();
    else parent.addEventListener('abort', this.#follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  abort(reason: unknown): void {
    this.#own.abort(reason);
  }

  [Symbol.dispose](): void {
    this.#parent.removeEventListener('abort', this.#follow);
  }
}
