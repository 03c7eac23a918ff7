/** What prune did, by prune-results.csv: counted, and named as far as people read it. */

/** What came of a row of a prune. */
export const PRUNINGS = [
  'none',
  'deleted',
  'gone',
  'kept',
  'skipped',
  'failed',
  'would-delete',
] as const;
export type Pruning = (typeof PRUNINGS)[number];

/** What people read instead. */
export const PRUNING_WORDS: Readonly<Record<Pruning, string>> = {
  none: '',
  deleted: 'deleted',
  gone: 'gone before',
  kept: 'kept, as their images are needed',
  skipped: 'skipped, as they had changed',
  failed: 'failed',
  'would-delete': 'would be deleted',
};

export interface PrunedImage {
  /** As at the target, without its host. */
  readonly image: string;
  /** Why; may be empty. */
  readonly error: string;
}

/** Of each kind so many are named. */
const MAX_NAMED = 200;

export class Pruned {
  readonly #counts = new Map<Pruning, number>();
  readonly #named = new Map<Pruning, PrunedImage[]>();

  add(status: Pruning, image: PrunedImage): void {
    this.#counts.set(status, this.count(status) + 1);
    const named = this.#named.get(status) ?? [];
    if (named.length < MAX_NAMED) named.push(image);
    this.#named.set(status, named);
  }

  count(status: Pruning): number {
    return this.#counts.get(status) ?? 0;
  }

  /** The first of them. */
  named(status: Pruning): readonly PrunedImage[] {
    return this.#named.get(status) ?? [];
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }
}
