/** A signal of one's own that is also aborted with another. */
import { onAbort } from './on-abort.ts';

/**
 * Unlike `AbortSignal.any` it leaves nothing behind on the long-lived `parent` once it is disposed of.
 */
export class LinkedAbort implements Disposable {
  readonly #own = new AbortController();
  readonly #leave: () => void;

  constructor(parent: AbortSignal) {
    const follow = (): void => this.#own.abort(parent.reason);
    this.#leave = onAbort(parent, follow);
    if (parent.aborted) follow();
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  abort(reason: unknown): void {
    this.#own.abort(reason);
  }

  [Symbol.dispose](): void {
    this.#leave();
  }
}
