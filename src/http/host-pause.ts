/** What one host's `Retry-After` means for everybody who waits for that host. */
import type { Clock } from '../base/clock.ts';

/** A gate that all requests to one host pass. While it is closed they wait, whoever closed it. */
export class HostPause {
  readonly #clock: Clock;
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Closes the gate for `ms` from now; never opens it earlier than somebody else had asked. */
  close(ms: number): void {
    this.#until = Math.max(this.#until, this.#clock.now() + ms);
  }

  get isOpen(): boolean {
    return this.#until <= this.#clock.now();
  }

  /** Resolves when the gate is open. Jitter keeps the waiters from starting as one. */
  async pass(signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = this.#until - this.#clock.now();
      if (left <= 0) return;
      await this.#clock.sleep(left + Math.random() * Math.min(left, MAX_SPREAD_MS), signal);
    }
  }
}

const MAX_SPREAD_MS = 1000;
