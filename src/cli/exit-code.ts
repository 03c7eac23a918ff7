/** What a run's end means to the shell. docs/errors.md has the table. */
import { isError, RegistrySyncError } from '../base/errors.ts';

export const EXIT = { ok: 0, failed: 1, absent: 2, partial: 3, bug: 70 } as const;

/**
 * 1 for what we know of, 70 for what we don't: a bug. 2, as in newer versions of skopeo, when the image that a
 * command was to read does not exist, which is said by `details.absent`.
 */
export function exitCodeOf(error: unknown): number {
  if (isError(error, 'NOT_FOUND') && error.details.absent === true) return EXIT.absent;
  return error instanceof RegistrySyncError ? EXIT.failed : EXIT.bug;
}

/**
 * Of a run over rows.
 *
 * @param isAllRefused every row was denied: it is the credentials or options that are wrong, not the rows.
 * @param notWell how many rows failed, are not as they should be, or were left alone.
 */
export function exitCodeOfRows(isAllRefused: boolean, notWell: number): number {
  if (isAllRefused) return EXIT.failed;
  return notWell > 0 ? EXIT.partial : EXIT.ok;
}
