/** One run per key however many ask for it at the same time. */
import { cancelled } from './errors.ts';
import { onAbort } from './on-abort.ts';

interface Flight<V> {
  readonly result: Promise<V>;
  readonly abort: AbortController;
  waiting: number;
}

/**
 * Shares what is under way, and nothing more: when a run has ended, well or badly, the next caller
 * starts anew. A failure is therefore never remembered, and memory is bounded by what is under way.
 *
 * A run belongs to all who wait for it: it is stopped when the last of them is.
 */
export class SingleFlight<K, V> {
  readonly #flights = new Map<K, Flight<V>>();

  async run(key: K, start: (signal: AbortSignal) => Promise<V>, signal: AbortSignal): Promise<V> {
    if (signal.aborted) throw cancelled(signal);
    const flight = this.#flights.get(key) ?? this.#start(key, start);
    flight.waiting += 1;
    let stay = (): void => {};
    const left = new Promise<never>((_, reject) => {
      stay = onAbort(signal, () => reject(cancelled(signal)));
    });
    try {
      return await Promise.race([flight.result, left]);
    } finally {
      stay();
      flight.waiting -= 1;
      if (flight.waiting === 0 && this.#flights.get(key) === flight) {
        this.#flights.delete(key);
        flight.abort.abort(signal.reason);
      }
    }
  }

  #start(key: K, start: (signal: AbortSignal) => Promise<V>): Flight<V> {
    const abort = new AbortController();
    const result = start(abort.signal);
    const flight = { result, abort, waiting: 0 };
    this.#flights.set(key, flight);
    const land = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    result.then(land, land);
    return flight;
  }
}
