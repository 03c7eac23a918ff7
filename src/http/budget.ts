/** Keeps to a number of requests per minute that a host is known to take. */
import type { Clock } from '../base/clock.ts';
import type { Wrap } from './send.ts';

/** So many seconds' worth may be asked for at once, after a while in which less was. */
const BURST_SECONDS = 6;

/** A bucket of requests that fills steadily. */
export class Budget {
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #most: number;
  #left: number;
  #at: number;

  constructor(clock: Clock, perMinute: number) {
    this.#clock = clock;
    this.#perMs = perMinute / 60_000;
    this.#most = Math.max(1, this.#perMs * 1000 * BURST_SECONDS);
    this.#left = this.#most;
    this.#at = clock.now();
  }

  /** Resolves when the next request may start; those who wait keep their order. */
  async take(signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    this.#left = Math.min(this.#most, this.#left + (now - this.#at) * this.#perMs);
    this.#at = now;
    this.#left -= 1; // below nothing: who comes later waits longer
    if (this.#left < 0) await this.#clock.sleep(-this.#left / this.#perMs, signal);
  }
}

/** Counts each request that is really made, so it belongs inside of `withRetry`. */
export function withBudget(budget: Budget): Wrap {
  return (send) => async (request) => {
    await budget.take(request.signal);
    return send(request);
  };
}
