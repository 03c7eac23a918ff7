/**
 * One request and its answer over undici's lean form, `dispatch`: half as dear as its `request`,
 * which makes a stream of Node of every answer.
 *
 * Source: https://undici.nodejs.org/#/docs/api/Dispatcher, «dispatch»
 */
import type { Dispatcher } from 'undici';

import { onAbort } from '../base/on-abort.ts';

/** The bytes of an answer. To be read to its end or destroyed, always: else the connection is lost. */
export interface Body extends AsyncIterable<Uint8Array> {
  /** `true`: there is nothing left to read, and never will be. */
  readonly isOver?: boolean;
  destroy(): unknown;
}

export interface Answer {
  readonly status: number;
  /** By lower-case name; fields that came several times are a list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Body;
  /** From when the request had a connection to when this answer began. Milliseconds. */
  readonly elapsedMs?: number;
}

/** So much of an answer waits for its reader; then the sender is made to wait. Bytes. */
const MAX_WAITING = 128 * 1024;

export interface ExchangeOptions {
  readonly signal: AbortSignal;
  /** A 200 is resolved to when its body is here, or so many bytes of it and some. Bytes. */
  readonly gather?: number | undefined;
}

/**
 * Dispatches a request and resolves once the head of the answer is there.
 *
 * Rejects with undici's errors, or with what `signal` was aborted with.
 */
export function exchange(
  dispatcher: Dispatcher,
  request: Dispatcher.DispatchOptions,
  options: ExchangeOptions,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    dispatcher.dispatch(request, new Exchange(options, resolve, reject));
  });
}

class Exchange implements Dispatcher.DispatchHandler, Body, AsyncIterator<Uint8Array> {
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #gather: number | undefined;
  readonly #leave: () => void;
  /** The answer whose body is being gathered. */
  #held: Answer | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #startedAt = 0;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #state: 'running' | 'ended' | 'failed' = 'running';
  #error: unknown;
  /** The reader, when it waits for more. */
  #wake: (() => void) | undefined;

  constructor(
    { signal, gather }: ExchangeOptions,
    resolve: (answer: Answer) => void,
    reject: (error: unknown) => void,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#gather = gather;
    this.#leave = onAbort(signal, () => this.#abort(signal.reason));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#startedAt = performance.now();
    // It was given up while it waited for a connection.
    if (this.#state === 'failed') controller.abort(asError(this.#error));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Answer['headers'],
  ): void {
    if (status < 200) return; // the answer is still to come
    const elapsedMs = performance.now() - this.#startedAt;
    const answer = { status, headers, body: this, elapsedMs };
    if (this.#gather === undefined || status !== 200) this.#resolve(answer);
    else this.#held = answer;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#state !== 'running') return;
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.byteLength;
    if (this.#held !== undefined) {
      // Longer than it may be: its reader will refuse it.
      if (this.#waitingBytes > (this.#gather ?? 0)) this.#handOver();
      return;
    }
    if (this.#waitingBytes >= MAX_WAITING) controller.pause();
    this.#wake?.();
  }

  onResponseEnd(): void {
    this.#end('ended', undefined);
    this.#handOver();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end('failed', error);
    this.#reject(this.#error); // of no effect once there is an answer
  }

  get isOver(): boolean {
    return this.#state === 'ended' && this.#waiting.length === 0;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const chunk = this.#waiting.shift();
      if (chunk !== undefined) {
        this.#waitingBytes -= chunk.byteLength;
        if (this.#controller?.paused && this.#waitingBytes < MAX_WAITING) this.#controller.resume();
        return { done: false, value: chunk };
      }
      if (this.#state === 'failed') throw this.#error;
      if (this.#state === 'ended') return { done: true, value: undefined };
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.destroy();
    return { done: true, value: undefined };
  }

  /** Of an answer that was read to its end nothing is left to destroy. */
  destroy(): void {
    this.#waiting = [];
    if (this.#state === 'running') this.#abort(new Error('the rest of the answer is not wanted'));
  }

  #handOver(): void {
    if (this.#held !== undefined) this.#resolve(this.#held);
    this.#held = undefined;
  }

  #abort(reason: unknown): void {
    if (this.#state !== 'running') return;
    this.#end('failed', reason);
    this.#controller?.abort(asError(reason));
    this.#reject(reason);
  }

  #end(state: 'ended' | 'failed', error: unknown): void {
    if (this.#state !== 'running') return;
    this.#state = state;
    this.#error = error;
    this.#leave();
    this.#wake?.();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
