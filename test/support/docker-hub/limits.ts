/**
 * What limits requests: a number of them in a window of time, for each who asks.
 */

/** Where a caller is in the window. */
export interface Standing {
  /** Whether this request was still within the limit. */
  readonly isWithin: boolean;
  /** How many more there may be. */
  readonly remaining: number;
  /** When the window ends, in ms. */
  readonly endsAt: number;
}

interface Window {
  readonly endsAt: number;
  used: number;
}

/** A fixed window that begins with a caller's first request. */
export class WindowLimit {
  readonly #windows = new Map<string, Window>();
  readonly #windowMs: number;
  readonly #now: () => number;

  constructor(windowSeconds: number, now: () => number) {
    this.#windowMs = windowSeconds * 1000;
    this.#now = now;
  }

  /** Counts a request, unless the limit is used up. */
  take(caller: string, limit: number): Standing {
    const window = this.#window(caller);
    const isWithin = window.used < limit;
    if (isWithin) window.used++;
    return { isWithin, remaining: limit - window.used, endsAt: window.endsAt };
  }

  /** How a caller stands, without counting. */
  look(caller: string, limit: number): Standing {
    const { used, endsAt } = this.#window(caller);
    return { isWithin: used < limit, remaining: Math.max(0, limit - used), endsAt };
  }

  #window(caller: string): Window {
    const found = this.#windows.get(caller);
    if (found !== undefined && found.endsAt > this.#now()) return found;
    const begun = { endsAt: this.#now() + this.#windowMs, used: 0 };
    this.#windows.set(caller, begun);
    return begun;
  }
}
