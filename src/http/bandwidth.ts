/** Bodies that come no faster than they may. */
import type { Clock } from '../base/clock.ts';
import type { Body } from './exchange.ts';
import type { HttpRequest, Wrap } from './send.ts';

/** So much may come at once after a silence. Milliseconds of the rate. */
const BURST_MS = 100;

/** A rate that all bodies of a run share. */
export class Bandwidth {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  /** When all that was taken so far has been paid for. */
  #paidAt = 0;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
  }

  /** Resolves when so many bytes more may have come. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    this.#paidAt = Math.max(this.#paidAt, now - BURST_MS) + bytes / this.#bytesPerMs;
    const wait = this.#paidAt - now;
    if (wait > 0) await this.#clock.sleep(wait, signal);
  }
}

/** Slows down what is read; what is written from it goes as slowly. */
export function withBandwidth(bandwidth: Bandwidth): Wrap {
  return (send) => async (request) => {
    const response = await send(request);
    const isBlob = request.method === 'GET' && request.gather === undefined;
    if (!isBlob || ![200, 206].includes(response.status)) return response;
    return { ...response, body: slowed(response.body, bandwidth, request) };
  };
}

function slowed(body: Body, bandwidth: Bandwidth, { signal }: HttpRequest): Body {
  return {
    destroy: () => body.destroy(),
    async *[Symbol.asyncIterator]() {
      for await (const chunk of body) {
        await bandwidth.take(chunk.byteLength, signal);
        yield chunk;
      }
    },
  };
}
