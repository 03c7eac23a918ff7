/** Notices that a registry is gone: each further image would wait for all of its retries to find out. */
import type { TagOutcome } from './sync.ts';

/** So many images in a row that failed because a registry could not be reached. */
const MAX_IN_A_ROW = 100;

export class Outage {
  #inARow = 0;

  /** `true` once no further image is worth a try. */
  note(outcome: TagOutcome): boolean {
    const isGone = outcome.result === 'failed' && outcome.error.code === 'UNAVAILABLE';
    this.#inARow = isGone ? this.#inARow + 1 : 0;
    return this.#inARow >= MAX_IN_A_ROW;
  }
}
