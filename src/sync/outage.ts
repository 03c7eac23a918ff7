/**
 * Notices that a registry gives no more: it is gone, and each further image would wait for all of its
 * retries to find out; or all that may be pulled has been.
 */
import type { RegistrySyncError } from '../base/errors.ts';
import type { TagOutcome } from './sync.ts';

/** So many images in a row that failed because a registry could not be reached. */
const MAX_IN_A_ROW = 100;

export class Outage {
  #inARow = 0;

  /** The failure of the last of them, once no further image is worth a try. */
  note(outcome: TagOutcome): RegistrySyncError | undefined {
    const failure =
      outcome.result === 'failed' && isGone(outcome.error) ? outcome.error : undefined;
    if (outcome.result === 'failed' && outcome.error.details.isSpent === true) return outcome.error;
    this.#inARow = failure === undefined ? 0 : this.#inARow + 1;
    return this.#inARow >= MAX_IN_A_ROW ? failure : undefined;
  }
}

/** A 500 may be of one repository; no answer, or that of a gateway, is of the registry. */
function isGone({ code, details: { status } }: RegistrySyncError): boolean {
  return (
    code === 'UNAVAILABLE' && (status === undefined || [502, 503, 504].includes(Number(status)))
  );
}
