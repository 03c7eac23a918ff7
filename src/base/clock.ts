/** Time as a parameter, so that a test of waiting need not wait. */
import { setTimeout as delay } from 'node:timers/promises';

import { cancelled } from './errors.ts';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`; rejects with CANCELLED when `signal` is aborted first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, { signal });
    } catch {
      throw cancelled(signal);
    }
  },
};
