import { equal, ok, rejects } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';

import { HostPause } from '../../../src/http/host-pause.ts';
import { RegistrySyncError } from '../../../src/base/errors.ts';
import { byKind, Pressure, withPressure } from '../../../src/http/pressure.ts';
import { compose, type HttpRequest, type HttpResponse } from '../../../src/http/send.ts';
import { Traffic } from '../../../src/http/traffic.ts';
import { NEVER } from '../../support/client.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** Fills the limit, and answers all with the same sample; `rounds` times. */
function load(pressure: Pressure, elapsedMs: number, rounds = 1): void {
  for (let round = 0; round < rounds; round += 1) {
    let started = 0;
    while (pressure.tryStart()) started += 1;
    for (; started > 0; started -= 1) pressure.done({ elapsedMs });
  }
}

describe('the number of requests that may be under way', () => {
  it('grows to what is allowed while answers come as fast as the first', () => {
    const pressure = new Pressure(new FakeClock(), 256);
    const before = pressure.limit;

    load(pressure, 20, 300);

    ok(before < 128);
    equal(pressure.limit, 256);
  });

  it('does not grow when it is not made use of', () => {
    const pressure = new Pressure(new FakeClock(), 256);
    const before = pressure.limit;

    for (let n = 0; n < 1000; n += 1) {
      pressure.tryStart();
      pressure.done({ elapsedMs: 20 });
    }

    equal(pressure.limit, before);
  });

  it('shrinks when answers have to wait, but not to nothing', () => {
    const clock = new FakeClock();
    const pressure = new Pressure(clock, 256);
    load(pressure, 20, 300);

    for (let n = 0; n < 100; n += 1) {
      load(pressure, 500);
      clock.advance(1000);
    }

    equal(pressure.limit, 16);
  });

  it('halves once for all that were refused together', () => {
    const pressure = new Pressure(new FakeClock(), 32);

    for (let n = 0; n < 20; n += 1) pressure.tryStart();
    for (let n = 0; n < 20; n += 1) pressure.done({ refused: true });

    equal(pressure.limit, 16);
  });

  it('never falls below one', () => {
    const clock = new FakeClock();
    const pressure = new Pressure(clock, 32);

    for (let n = 0; n < 50; n += 1) {
      pressure.tryStart();
      pressure.done({ refused: true });
      clock.advance(2000);
    }

    equal(pressure.limit, 1);
  });

  it('is never more than is allowed', () => {
    equal(new Pressure(new FakeClock(), 3).limit, 3);
  });
});

const GET: HttpRequest = { method: 'GET', url: new URL('https://r.test/v2/'), signal: NEVER };

/** A host that answers when it is told to. */
function host(most: number) {
  const clock = new FakeClock();
  const traffic = new Traffic();
  const pause = new HostPause(clock);
  const answers: ((status: number) => void)[] = [];
  const send = compose(
    () =>
      new Promise<HttpResponse>((resolve) => {
        answers.push((status) => resolve({ status, headers: {}, body: Readable.from([]) }));
      }),
    byKind(() => withPressure(new Pressure(clock, most), { traffic, pause, isRegistry: true })),
  );
  return { send, answers, traffic, pause, clock };
}

describe('withPressure', () => {
  it('lets no more requests out than may be, in their order', async () => {
    const { send, answers, traffic } = host(2);
    const sent = [1, 2, 3].map(() => send(GET));
    await new Promise(setImmediate);
    equal(answers.length, 2);
    equal(traffic.waiting, 1);

    answers[0]?.(200);
    await sent[0];
    await new Promise(setImmediate);

    equal(answers.length, 3);
    equal(traffic.waiting, 0);
  });

  it('counts requests that write apart', async () => {
    const { send, answers } = host(1);
    void send(GET);
    void send({ ...GET, method: 'PUT' });
    await new Promise(setImmediate);

    equal(answers.length, 2);
  });

  it('holds back who waited when the host wants to be left alone meanwhile', async () => {
    const { send, answers, pause, clock } = host(1);
    void send(GET);
    const second = send(GET);
    let slept = 0;
    clock.onSleep = (ms) => (slept += ms);
    await new Promise(setImmediate);
    pause.close(5000);
    answers[0]?.(429);
    await new Promise(setImmediate);

    equal(answers.length, 2);
    ok(slept >= 5000);
    answers[1]?.(200);
    await second;
  });

  it('lets go of who is stopped while it waits', async () => {
    const { send, answers, traffic } = host(1);
    const stopping = new AbortController();
    void send(GET);
    const waiting = send({ ...GET, signal: stopping.signal });
    stopping.abort();

    await rejects(waiting, { code: 'CANCELLED' });
    equal(traffic.waiting, 0);
    answers[0]?.(200);
    await new Promise(setImmediate);
    void send(GET);
    await new Promise(setImmediate);
    equal(answers.length, 2);
  });
});

describe('a failure that is not of the host', () => {
  it('says nothing of a host when the source of a body fails', async () => {
    const clock = new FakeClock();
    const pressure = new Pressure(clock, 64);
    const failure = new RegistrySyncError('UNAVAILABLE', 'down', { details: { side: 'source' } });
    const context = { traffic: new Traffic(), pause: new HostPause(clock), isRegistry: true };
    const send = compose(() => Promise.reject(failure), withPressure(pressure, context));

    await rejects(send({ ...GET, method: 'PATCH' }), (error) => error === failure);

    equal(pressure.limit, 64);
  });
});
