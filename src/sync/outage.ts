/** Notices that a registry is gone: each further image would wait for all of its retries to find out. */
import type { TagOutcome } from './sync.ts';

/** So many images in a row that failed because a registry could not be reached. */
const MAX_IN_A_ROW = 100;

/** A 500 may be of one repository; no answer, or that of a gateway, is of the registry. */
function isGone(outcome: TagOutcome): boolean {
  if (outcome.result !== 'failed' || outcome.error.code !== 'UNAVAILABLE') return false;
  const { status } = outcome.error.details;
  return status === undefined || [502, 503, 504].includes(Number(status));
}

export class Outage {
  #inARow = 0;

  /** `true` once no further image is worth a try. */
  note(outcome: TagOutcome): boolean {
    this.#inARow = isGone(outcome) ? this.#inARow + 1 : 0;
    return this.#inARow >= MAX_IN_A_ROW;
  }
}
