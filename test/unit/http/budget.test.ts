import { deepEqual, equal, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { Budget, withBudget } from '../../../src/http/budget.ts';
import type { HttpRequest, Send } from '../../../src/http/send.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const { signal: NEVER } = new AbortController();

/** Time that passes for all who sleep together, as real time does. */
class SharedClock implements Clock {
  #now = 0;
  readonly #sleeping: { readonly until: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  async sleep(ms: number): Promise<void> {
    const until = this.#now + ms;
    await new Promise<void>((wake) => this.#sleeping.push({ until, wake }));
  }

  async advance(ms: number): Promise<void> {
    this.#now += ms;
    const awake = this.#sleeping.filter(({ until }) => until <= this.#now + 1e-6);
    for (const one of awake) this.#sleeping.splice(this.#sleeping.indexOf(one), 1);
    awake.forEach(({ wake }) => wake());
    await new Promise(setImmediate);
  }
}

/** Takes one after the other, at no time in between, until the first one waits: how many did not. */
async function burstOf(budget: Budget, clock: FakeClock): Promise<number> {
  const before = clock.slept.length;
  for (let taken = 0; ; taken += 1) {
    await budget.take(NEVER);
    if (clock.slept.length > before) return taken;
  }
}

describe('a budget', () => {
  it('lets six seconds’ worth pass at once, and no more', async () => {
    const clock = new FakeClock();

    equal(await burstOf(new Budget(clock, 600), clock), 60);
    deepEqual(clock.slept.map(Math.round), [100]);
  });

  it('lets one pass at once, however small it is', async () => {
    const clock = new FakeClock();

    equal(await burstOf(new Budget(clock, 1), clock), 1);
    deepEqual(clock.slept.map(Math.round), [60_000]);
  });

  it('keeps the pace over minutes', async () => {
    const clock = new FakeClock(0);
    const budget = new Budget(clock, 180);

    for (let n = 0; n < 180 * 5 + 18; n += 1) await budget.take(NEVER);

    equal(Math.round(clock.now()), 5 * 60_000);
  });

  it('is full again after six seconds of quiet, and not fuller after an hour', async () => {
    const clock = new FakeClock();
    const budget = new Budget(clock, 600);
    await burstOf(budget, clock);

    const bursts: number[] = [];
    for (const quiet of [6000, 3_600_000]) {
      clock.advance(quiet);
      bursts.push(await burstOf(budget, clock));
    }

    deepEqual(bursts, [60, 60]);
  });

  it('lets those who wait go one by one, in the order in which they came', async () => {
    const clock = new SharedClock();
    const budget = new Budget(clock, 600);
    const gone: number[] = [];
    for (let n = 0; n < 65; n += 1) void budget.take(NEVER).then(() => gone.push(n));

    const counts: number[] = [];
    for (const advance of [0, 99, 1, 100, 300]) {
      await clock.advance(advance);
      counts.push(gone.length);
    }

    deepEqual(counts, [60, 60, 61, 62, 65]);
    deepEqual(gone, [...gone.keys()]);
  });

  it('does not hold who is stopped', async () => {
    const clock = new FakeClock();
    const budget = new Budget(clock, 60);
    await burstOf(budget, clock);
    const stop = new AbortController();
    clock.onSleep = () => stop.abort();

    await rejects(budget.take(stop.signal), { code: 'CANCELLED' });
  });
});

describe('withBudget', () => {
  it('takes before each request, and sends none for who was stopped meanwhile', async () => {
    const clock = new FakeClock();
    const sent: number[] = [];
    const inner: Send = async () => {
      sent.push(clock.slept.length);
      return { status: 200, headers: {}, body: Readable.from([]) };
    };
    const send = withBudget(new Budget(clock, 1))(inner);
    const request: HttpRequest = { method: 'GET', url: new URL('https://r.test/'), signal: NEVER };

    await send(request);
    await send(request);
    const stop = new AbortController();
    clock.onSleep = () => stop.abort();
    await rejects(send({ ...request, signal: stop.signal }), { code: 'CANCELLED' });

    deepEqual(sent, [0, 1]);
  });
});
