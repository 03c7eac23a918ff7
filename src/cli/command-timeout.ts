/** `--command-timeout`: a deadline for whatever a command does. */
import { RegistrySyncError } from '../base/errors.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import type { Shutdown } from './command.ts';
import { readDuration } from './options/duration.ts';

/** setTimeout knows no longer wait: 24 days. Milliseconds. */
const MAX_MS = 2 ** 31 - 1;

/** Gives everything up when the time is over, as when a signal comes. */
export async function withinTimeout<T>(
  timeout: string | undefined,
  shutdown: Shutdown,
  work: (within: Shutdown) => Promise<T>,
): Promise<T> {
  const ms = timeout === undefined ? 0 : readDuration('command-timeout', timeout);
  if (ms === 0) return work(shutdown);
  using signal = new LinkedAbort(shutdown.signal);
  using stopping = new LinkedAbort(shutdown.stopping);
  const error = new RegistrySyncError('CANCELLED', `gave up after --command-timeout ${timeout}`);
  const timer = setTimeout(
    () => {
      stopping.abort(error);
      signal.abort(error);
    },
    Math.min(Math.max(ms, 1), MAX_MS),
  );
  try {
    return await work({
      stopping: stopping.signal,
      signal: signal.signal,
      get graceMs() {
        return shutdown.graceMs;
      },
      set graceMs(value) {
        shutdown.graceMs = value;
      },
    });
  } finally {
    clearTimeout(timer);
  }
}
