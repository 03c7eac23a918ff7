/** A clock that only moves when it is told to or somebody sleeps, so that waiting takes no time. */
import type { Clock } from '../../src/base/clock.ts';
import { throwIfAborted } from '../../src/base/errors.ts';

export class FakeClock implements Clock {
  /** How long each sleep was asked to be. Milliseconds. */
  readonly slept: number[] = [];
  /** Called at each sleep, before time passes: an abort belongs here. */
  onSleep: (ms: number) => void = () => {};
  #now: number;

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.slept.push(ms);
    this.onSleep(ms);
    await Promise.resolve();
    throwIfAborted(signal);
    this.#now += ms;
  }
}
