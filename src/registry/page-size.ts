/**
 * How many items to ask for per page of a list that a registry may be too slow to make: fewer after
 * each page that a gateway gave up on, more again after a while in which all went well.
 *
 * Source: Azure/acr-cli, pull request 353: pages of 100 are a 502 in very large registries, pages of
 * 5 are not.
 */
export class PageSize {
  readonly #most: number;
  #size: number;
  #well = 0;

  constructor(most: number) {
    this.#most = most;
    this.#size = most;
  }

  get now(): number {
    return this.#size;
  }

  get isLeast(): boolean {
    return this.#size <= LEAST;
  }

  /** A page of `size` could not be had. Pages that were asked for at the same time count once. */
  noteTooLarge(size: number): void {
    this.#well = 0;
    this.#size = Math.max(LEAST, Math.min(this.#size, Math.floor(size / 2)));
  }

  notePage(): void {
    this.#well += 1;
    if (this.#well < PAGES_TO_GROW || this.#size === this.#most) return;
    this.#well = 0;
    this.#size = Math.min(this.#most, this.#size * 2);
  }
}

const LEAST = 5;
/** After so many pages of one size the next larger one is tried again. */
const PAGES_TO_GROW = 50;
