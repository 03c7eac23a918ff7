/** What a run's end means to the shell. docs/errors.md has the table. */
import { RegistrySyncError } from '../base/errors.ts';

export const EXIT = { ok: 0, failed: 1, partial: 3, bug: 70 } as const;

/** 1 for what we know of, 70 for what we don't: a bug. */
export function exitCodeOf(error: unknown): number {
  return error instanceof RegistrySyncError ? EXIT.failed : EXIT.bug;
}
