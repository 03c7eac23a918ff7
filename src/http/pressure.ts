/**
 * How many requests may be on their way to a host at once: as many as it answers without making them
 * wait. Found out while it runs, so that the same program suits a registry on this machine, one on
 * another continent, and one that is overloaded.
 *
 * The limit grows while it is made use of and answers come about as fast as the fastest one did; it
 * shrinks when they take far longer, and halves when the host says that it is too much. (As TCP
 * does it: Chiu and Jain, «Analysis of the Increase and Decrease Algorithms», 1989; for the use of
 * delay: Brakmo and Peterson, «TCP Vegas», 1995.)
 */
import type { Clock } from '../base/clock.ts';
import { cancelled, isError } from '../base/errors.ts';
import { onAbort } from '../base/on-abort.ts';
import type { HostPause } from './host-pause.ts';
import type { HttpRequest, HttpResponse, Wrap } from './send.ts';
import type { Traffic } from './traffic.ts';

/** Wide enough to find out quickly, and what any registry stands. */
const FIRST_LIMIT = 64;
/** Slow answers alone make it no smaller. */
const LEAST_WHEN_SLOW = 16;
/** An answer that takes three times as long as the fastest one, and some, had to wait. Milliseconds. */
const SLOW_FACTOR = 3;
const SLACK_MS = 5;
/** Statuses by which a host says that it is too much. */
const REFUSALS = new Set([429, 503]);

/** What came of a request: how long the answer took, where that says something, or that it was too much. */
export type Sample = { readonly elapsedMs: number | undefined } | { readonly refused: true };

export class Pressure {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #waiting: Array<() => void> = [];
  #limit: number;
  #running = 0;
  #fastestMs = Infinity;
  #isStarting = true;
  /** Before then the limit has been made smaller for the same reason. */
  #shrunkUntil = 0;

  constructor(clock: Clock, most: number) {
    this.#clock = clock;
    this.#most = most;
    this.#limit = Math.min(FIRST_LIMIT, most);
  }

  /** How many requests may be under way now. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Whether a request may start at once; if so, it has started, and `done` has to follow. */
  tryStart(): boolean {
    if (this.#running >= this.limit) return false;
    this.#running += 1;
    return true;
  }

  done(sample: Sample): void {
    this.#learn(sample);
    this.#running -= 1;
    while (this.#running < this.limit && this.#waiting.length > 0) {
      this.#running += 1;
      this.#waiting.shift()?.();
    }
  }

  /** Resolves when the request may start, which it then has; `done` has to follow. */
  turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = onAbort(signal, () => {
        const at = this.#waiting.indexOf(begin);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(cancelled(signal));
      });
      const begin = (): void => {
        leave();
        resolve();
      };
      this.#waiting.push(begin);
    });
  }

  #learn(sample: Sample): void {
    if ('refused' in sample) return this.#shrink(0.5, 1, REFUSED_EPOCH_MS);
    const { elapsedMs } = sample;
    if (elapsedMs === undefined) return;
    this.#fastestMs = Math.min(this.#fastestMs, elapsedMs);
    if (elapsedMs > SLOW_FACTOR * this.#fastestMs + SLACK_MS) {
      this.#shrink(0.9, Math.min(LEAST_WHEN_SLOW, this.#limit), elapsedMs);
    } else if (this.#running >= this.limit) {
      this.#limit = Math.min(this.#most, this.#limit + (this.#isStarting ? 1 : 1 / this.#limit));
    }
  }

  /** Once for all requests that were on their way together. */
  #shrink(factor: number, least: number, epochMs: number): void {
    this.#isStarting = false;
    const now = this.#clock.now();
    if (now < this.#shrunkUntil) return;
    this.#shrunkUntil = now + epochMs;
    this.#limit = Math.max(least, this.#limit * factor);
  }
}

const REFUSED_EPOCH_MS = 1000;

/** A host, as far as its pressure is concerned. */
export interface PressureContext {
  readonly traffic: Traffic;
  /** What it has asked for while requests waited for their turn holds for them too. */
  readonly pause: HostPause;
  /** The registry itself, not a host that it leads to: its distance is the one that counts. */
  readonly isRegistry: boolean;
}

/** Lets a request start when there is room. A request counts until the head of its answer is there. */
export function withPressure(pressure: Pressure, context: PressureContext): Wrap {
  return (send) => async (request) => {
    await takeTurn(pressure, context, request.signal);
    let sample: Sample = { elapsedMs: undefined };
    try {
      const response = await send(request);
      sample = sampleOf(request, response);
      noteDistance(context, response);
      return response;
    } catch (error) {
      if (isOfHost(error, request)) sample = { refused: true };
      throw error;
    } finally {
      pressure.done(sample);
    }
  };
}

/** A policy of its own for requests that read and for those that write: they strain a host differently. */
export function byKind(create: () => Wrap): Wrap {
  return (send) => {
    const [read, write] = [create()(send), create()(send)];
    return (request) => (isReading(request) ? read : write)(request);
  };
}

function isReading({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

async function takeTurn(
  pressure: Pressure,
  { traffic, pause }: PressureContext,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    if (!pressure.tryStart()) {
      traffic.waiting += 1;
      await pressure.turn(signal).finally(() => (traffic.waiting -= 1));
    }
    if (pause.isOpen) return;
    pressure.done({ elapsedMs: undefined });
    await pause.pass(signal);
  }
}

/** What the stream of a body could not give says nothing of the host that it is sent to. */
function isOfHost(error: unknown, { signal, once }: HttpRequest): boolean {
  if (signal.aborted || once === true) return false;
  return isError(error, 'UNAVAILABLE') && error.details.side !== 'source';
}

function noteDistance({ traffic, isRegistry }: PressureContext, { elapsedMs }: HttpResponse): void {
  if (elapsedMs === undefined || !isRegistry) return;
  traffic.fastestMs = Math.min(traffic.fastestMs || Infinity, elapsedMs);
}

/** How long a body or a new connection takes says nothing of the load of the host. */
function sampleOf({ body }: HttpRequest, { status, elapsedMs }: HttpResponse): Sample {
  if (REFUSALS.has(status)) return { refused: true };
  return { elapsedMs: body === undefined ? elapsedMs : undefined };
}
