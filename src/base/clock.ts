/** Time as a parameter, so that a test of waiting need not wait. */
import { cancelled } from './errors.ts';
import { onAbort } from './on-abort.ts';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`; rejects with CANCELLED when `signal` is aborted first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      const leave = onAbort(signal, () => {
        clearTimeout(timer);
        reject(cancelled(signal));
      });
      const timer = setTimeout(() => {
        leave();
        resolve();
      }, ms);
    });
  },
};
