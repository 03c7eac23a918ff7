import { deepEqual, equal, rejects } from 'node:assert/strict';
import { describe, it } from 'node:test';

import { SingleFlight } from '../../../src/base/single-flight.ts';

const GOING = new AbortController().signal;

describe('SingleFlight', () => {
  it('runs once for all who ask at the same time', async () => {
    const flight = new SingleFlight<string, object>();
    let runs = 0;
    const start = async (): Promise<object> => ({ run: (runs += 1) });

    const [a, b] = await Promise.all([
      flight.run('k', start, GOING),
      flight.run('k', start, GOING),
    ]);

    equal(a, b);
    equal(runs, 1);
  });

  it('runs once per key', async () => {
    const flight = new SingleFlight<string, string>();

    const results = await Promise.all(
      ['a', 'b'].map((key) => flight.run(key, async () => key, GOING)),
    );

    deepEqual(results, ['a', 'b']);
  });

  it('remembers no result', async () => {
    const flight = new SingleFlight<string, number>();
    await flight.run('k', async () => 1, GOING);

    equal(await flight.run('k', async () => 2, GOING), 2);
  });

  it('fails for all who asked, and remembers no failure', async () => {
    const flight = new SingleFlight<string, number>();
    const fail = async (): Promise<number> => {
      throw new Error('down');
    };

    const both = [flight.run('k', fail, GOING), flight.run('k', async () => 1, GOING)];

    for (const one of both) await rejects(one, { message: 'down' });
    equal(await flight.run('k', async () => 2, GOING), 2);
  });

  it('goes on for the others when the one who began it is stopped', async () => {
    const flight = new SingleFlight<string, string>();
    const stop = new AbortController();
    let land: (value: string) => void = () => {};
    const landed = new Promise<string>((resolve) => (land = resolve));
    const first = flight.run('k', () => landed, stop.signal);
    const second = flight.run('k', async () => 'another', GOING);

    stop.abort();
    land('landed');

    await rejects(first, { code: 'CANCELLED' });
    equal(await second, 'landed');
  });

  it('is stopped with the last who waits, and forgotten', async () => {
    const flight = new SingleFlight<string, string>();
    const stop = new AbortController();
    let shared: AbortSignal | undefined;
    const start = (signal: AbortSignal): Promise<string> => {
      shared = signal;
      return new Promise(() => {});
    };
    const both = [flight.run('k', start, stop.signal), flight.run('k', start, stop.signal)];

    stop.abort();

    for (const one of both) await rejects(one, { code: 'CANCELLED' });
    equal(shared?.aborted, true);
    equal(await flight.run('k', async () => 'anew', GOING), 'anew');
  });
});
