/**
 * Whether a registry links a blob from a repository to that same repository, as the protocol lets
 * it: then `POST …?mount=DIGEST&from=ITSELF` is the question whether the blob is there and the
 * beginning of its upload in one.
 *
 * Source: OCI Distribution 1.1, «Mounting a blob from another repository»: 201 where it could be
 * linked, else 202 with an upload.
 */
export class SelfLinks {
  #work: boolean | undefined;
  #tries = 0;
  #learning: Promise<void> | undefined;

  /** `undefined` until it was learnt. */
  get work(): boolean | undefined {
    return this.#work;
  }

  get isBeingLearnt(): boolean {
    return this.#learning !== undefined;
  }

  /** Resolves when the try that is under way has ended, well or badly. */
  get learnt(): Promise<void> {
    return this.#learning ?? Promise.resolve();
  }

  /** It is known beforehand that it does not. */
  giveUp(): void {
    this.#work = false;
  }

  /** Runs a try, which finds out on the way; one at a time is for the callers to see to. */
  async learn<T>(run: () => Promise<{ outcome: T; work: boolean | undefined }>): Promise<T> {
    let end = (): void => {};
    this.#learning = new Promise((resolve) => (end = resolve));
    this.#tries += 1;
    try {
      const { outcome, work } = await run();
      this.#work = work;
      return outcome;
    } finally {
      if (this.#tries >= MAX_TRIES) this.#work ??= false;
      this.#learning = undefined;
      end();
    }
  }
}

/** More mishaps than that are the registry's way. */
const MAX_TRIES = 3;
