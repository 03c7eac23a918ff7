/**
 * Notices that a registry gives no more: it is gone, and each further image would wait for all of its
 * retries to find out; or all that may be pulled has been.
 */
import type { RegistrySyncError } from '../base/errors.ts';
import type { LinkedAbort } from '../base/linked-abort.ts';
import type { Log } from '../base/log.ts';

/** So many images in a row that failed because a registry could not be reached. */
const MAX_IN_A_ROW = 100;

export class Outage {
  readonly #maxInARow: number;
  #inARow = 0;

  constructor(maxInARow = MAX_IN_A_ROW) {
    this.#maxInARow = maxInARow;
  }

  /**
   * Notes how an image failed, or that it did not. Gives the failure of the last one, once no further
   * image is worth a try.
   */
  note(failure: RegistrySyncError | undefined): RegistrySyncError | undefined {
    if (failure?.details.isSpent === true) return failure;
    this.#inARow = failure !== undefined && isGone(failure) ? this.#inARow + 1 : 0;
    return this.#inARow >= this.#maxInARow ? failure : undefined;
  }
}

/** Says why no further image is started, and sees to it. */
export function stopForOutage(
  { message, details }: RegistrySyncError,
  stopping: LinkedAbort,
  log: Log,
): void {
  const why = details.isSpent === true ? 'no pulls are left' : 'a registry is out of reach';
  log.error({ error: message }, `${why}: no further image is started`);
  stopping.abort('outage');
}

/** A 500 may be of one repository; no answer, or that of a gateway, is of the registry. */
function isGone({ code, details: { status } }: RegistrySyncError): boolean {
  return (
    code === 'UNAVAILABLE' && (status === undefined || [502, 503, 504].includes(Number(status)))
  );
}
